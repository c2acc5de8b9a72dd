// SPDX-License-Identifier: MIT
// The loader on good files, on shards, and the wording of its errors.
#include "io.h"

#include "io/loader.h"
#include "io/safetensors.h"

static const float floats[6] = {1, 2, 3, 4, 5, 6};
static const uint8_t small[3] = {7, 8, 9};

static const struct fum_safetensors_tensor two[2] = {
    {"b.small", in_memory(FUM_U8, 1, small, 3)},
    {"a.floats", in_memory(FUM_F32, 2, floats, 2, 3)},
};

static void assert_bytes(const struct fum_loader_tensor *t, const void *bytes) {
    uint8_t read[24];
    struct fum_error err = {0};
    assert_non_null(t);
    assert_true(t->bytes <= sizeof read);
    assert_ok(fum_view_read(&t->view, 0, t->bytes, read, &err), err);
    assert_memory_equal(read, bytes, (size_t)t->bytes);
}

static void reads_what_was_written(void **state) {
    (void)state;
    struct fum_error err = {0};
    const char *path = scratch("two.safetensors");
    const struct fum_safetensors_text text = {"made \"by\"", "tests\nthat write"};
    assert_ok(fum_safetensors_write(
                  path,
                  &(struct fum_safetensors){
                      .tensors = two, .count = 2, .metadata = &text, .metadata_count = 1},
                  &err),
              err);
    fum_loader *l = NULL;
    assert_ok(fum_loader_open(&l, path, &err), err);
    assert_int_equal(fum_loader_count(l), 2);
    assert_string_equal(fum_loader_at(l, 0)->name, "a.floats");
    assert_string_equal(fum_loader_metadata(l, "made \"by\""), "tests\nthat write");
    assert_null(fum_loader_metadata(l, "nothing"));
    const struct fum_loader_tensor *t = fum_loader_find(l, "a.floats");
    assert_int_equal(t->view.rank, 2);
    assert_int_equal(t->view.dim[1], 3);
    assert_int_equal(t->bytes, 24);
    assert_int_equal(t->offset % 8, 0);
    assert_bytes(t, floats);
    assert_bytes(fum_loader_find(l, "b.small"), small);
    assert_null(fum_loader_find(l, "b"));
    assert_null(fum_loader_find(l, "zzz"));
    size_t first = 9;
    assert_int_equal(fum_loader_count_prefix(l, "b.", &first), 1);
    assert_int_equal(first, 1);
    fum_loader_close(&l);
    assert_null(l);
}

static void holds_every_dtype_and_empty_shapes(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct fum_safetensors_tensor tensors[FUM_DTYPE_COUNT + 2];
    uint64_t bytes[8] = {1, 2, 3};
    for (int i = 0; i < FUM_DTYPE_COUNT; i++)
        tensors[i] = (struct fum_safetensors_tensor){fum_dtype_name((enum fum_dtype)i),
                                                     in_memory((enum fum_dtype)i, 2, bytes, 1, 3)};
    tensors[FUM_DTYPE_COUNT] =
        (struct fum_safetensors_tensor){"none", in_memory(FUM_F32, 3, NULL, 4, 0, 7)};
    tensors[FUM_DTYPE_COUNT + 1] =
        (struct fum_safetensors_tensor){"scalar", in_memory(FUM_I64, 0, bytes, 0)};
    const char *path = scratch("dtypes.safetensors");
    assert_ok(fum_safetensors_write(
                  path, &(struct fum_safetensors){.tensors = tensors, .count = FUM_DTYPE_COUNT + 2},
                  &err),
              err);
    fum_loader *l = NULL;
    assert_ok(fum_loader_open(&l, path, &err), err);
    assert_int_equal(fum_loader_count(l), FUM_DTYPE_COUNT + 2);
    for (int i = 0; i < FUM_DTYPE_COUNT; i++) {
        const struct fum_loader_tensor *t = fum_loader_find(l, fum_dtype_name((enum fum_dtype)i));
        assert_int_equal(t->view.dtype, i);
        assert_int_equal(t->bytes, 3 * fum_dtype_size((enum fum_dtype)i));
        assert_int_equal(t->offset % fum_dtype_size((enum fum_dtype)i), 0);
    }
    assert_int_equal(fum_loader_find(l, "none")->bytes, 0);
    assert_int_equal(fum_loader_find(l, "scalar")->view.rank, 0);
    fum_loader_close(&l);
}

static void opens_shards(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_loader *l = NULL;
    assert_ok(fum_safetensors_write(scratch("m-00001-of-00002.safetensors"),
                                    &(struct fum_safetensors){.tensors = two, .count = 1}, &err),
              err);
    assert_ok(fum_safetensors_write(scratch("m-00002-of-00002.safetensors"),
                                    &(struct fum_safetensors){.tensors = two + 1, .count = 1},
                                    &err),
              err);
    const char *index = scratch("m.safetensors.index.json");
    const char *good = "{\"weight_map\":{\"a.floats\":\"m-00002-of-00002.safetensors\","
                       "\"b.small\":\"m-00001-of-00002.safetensors\"}}";
    write_file(index, good, strlen(good));
    assert_ok(fum_loader_open(&l, index, &err), err);
    assert_int_equal(fum_loader_file_count(l), 2);
    assert_bytes(fum_loader_find(l, "a.floats"), floats);
    assert_bytes(fum_loader_find(l, "b.small"), small);
    fum_loader_close(&l);

    static const struct {
        const char *json, *says;
    } bad[] = {
        {"{\"weight_map\":{\"c\":\"m-00001-of-00002.safetensors\"}}", "tensor c should be in"},
        {"{\"weight_map\":{\"c\":\"../m-00001-of-00002.safetensors\"}}", "not a plain file name"},
        {"{\"weight_map\":{\"c\":\"gone.safetensors\"}}", "gone.safetensors"},
        {"{\"weight_map\":{\"c\":3}}", "names no file for tensor c"},
        {"{\"weight_map\":[]}", "no weight_map"},
        {"{", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(index, bad[i].json, strlen(bad[i].json));
        assert_int_not_equal(fum_loader_open(&l, index, &err), FUM_OK);
        assert_null(l);
        assert_contains(err.text, bad[i].says);
    }
}

// A file of `header` and `data` bytes after it.
static size_t make(uint8_t *out, const char *header, size_t data) {
    size_t n = strlen(header);
    memset(out, 0, 8 + n + data);
    for (int i = 0; i < 8; i++) out[i] = (uint8_t)((uint64_t)n >> (8 * i));
    memcpy(out + 8, header, n);
    return 8 + n + data;
}

// Types that are not read only matter where a part needs the tensor: the others of the file stay
// usable.
static void keeps_types_that_are_not_read(void **state) {
    (void)state;
    static const char header[] =
        "{\"a\":{\"dtype\":\"F8_E4M3FNUZ\",\"shape\":[3],\"data_offsets\":[0,3]},"
        "\"b\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[3,5]},"
        "\"c\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[5,7]}}";
    uint8_t bytes[sizeof header + 32];
    struct fum_error err = {0};
    fum_loader *l = NULL;
    assert_ok(fum_loader_open_memory(&l, bytes, make(bytes, header, 7), "memory", &err), err);
    const struct fum_loader_tensor *t = fum_loader_find(l, "b");
    assert_int_equal(t->view.dtype, FUM_DTYPE_UNKNOWN);
    assert_string_equal(t->type, "F4");
    assert_int_equal(t->bytes, 2);
    assert_int_equal(fum_loader_find(l, "c")->view.dtype, FUM_I8);
    fum_loader_close(&l);
}

static void names_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *says;
    } bad[] = {
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "cut off"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9,
         "1 bytes after the last tensor"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
         "needs 8 bytes, found 4"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,4]}}", 8,
         "begins at byte 8, after its end"},
        {"{\"x\":{\"dtype\":3,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "has no dtype"},
        {"{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "has no shape"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "no whole number"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,6]}}", 6,
         "no whole number"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1e300],\"data_offsets\":[0,6]}}", 6,
         "no whole number"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
         "overflows"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
         "more than 8"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, "data_offsets"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, "data_offsets"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
         2, "overlaps tensor x, which ends at"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
         3, "belong to no tensor"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
         2, "tensor x is there twice"},
        {"{\"x\\ny\":{\"dtype\":3,\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
         "tensor x\\ny: has no dtype"},
        {"{\"x\":[]}", 0, "not an object"},
        {"{\"__metadata__\":3}", 0, "__metadata__"},
        {"{\"__metadata__\":{\"a\":3}}", 0, "__metadata__ a is not a text"},
        {"{\"x\":[[[[[]]]]]}", 0, "nested too deeply"},
        {"{\"x\":", 0, "not valid JSON"},
        {"[]", 0, "no JSON header"},
    };
    uint8_t file[512];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fum_error err = {0};
        fum_loader *l = NULL;
        size_t n = make(file, bad[i].header, bad[i].data);
        assert_int_not_equal(fum_loader_open_memory(&l, file, n, "f.safetensors", &err), FUM_OK);
        assert_null(l);
        assert_contains(err.text, bad[i].says);
        assert_contains(err.text, "f.safetensors");
        assert_null(strchr(err.text, '\n'));
    }
}

static void refuses_other_files(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *says;
    } bad[] = {
        {"", 0, "0 bytes are too few"},
        {"abc", 3, "3 bytes are too few"},
        {"PK\x03\x04 and so on", 14, "zip archive is damaged"},
        {"GGUF\3\0\0\0\0\0\0\0", 12, "GGUF"},
        {"version https://git-lfs.github.com/spec/v1\n", 43, "Git LFS"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "over the limit"},
        {"\x10\0\0\0\0\0\0\0{}", 10, "the header needs 24 bytes, the file has 10"},
        {"\0\0\0\0\0\0\0\0{}", 10, "no JSON header"},
    };
    const char *path = scratch("other.safetensors");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fum_error err = {0};
        fum_loader *l = NULL;
        write_file(path, bad[i].bytes, bad[i].size);
        assert_int_not_equal(fum_loader_open(&l, path, &err), FUM_OK);
        assert_contains(err.text, bad[i].says);
    }
    struct fum_error err = {0};
    fum_loader *l = NULL;
    assert_int_equal(fum_loader_open(&l, scratch("no-such.safetensors"), &err), FUM_ERR_IO);
    assert_contains(err.text, "no-such.safetensors");
}

static void a_failed_write_leaves_the_old_file(void **state) {
    (void)state;
    struct fum_error err = {0};
    const char *path = scratch("kept.safetensors");
    assert_ok(
        fum_safetensors_write(path, &(struct fum_safetensors){.tensors = two, .count = 1}, &err),
        err);
    struct fum_safetensors_tensor wrong = {"w", in_memory(FUM_F32, 1, floats, -1)};
    assert_int_equal(
        fum_safetensors_write(path, &(struct fum_safetensors){.tensors = &wrong, .count = 1}, &err),
        FUM_ERR_ARG);
    for (long n = 0;; n++) {
        fum_alloc_fail_after(n);
        enum fum_result result = fum_safetensors_write(
            path, &(struct fum_safetensors){.tensors = two + 1, .count = 1}, &err);
        fum_alloc_fail_after(-1);
        fum_loader *l = NULL;
        assert_ok(fum_loader_open(&l, path, &err), err);
        assert_string_equal(fum_loader_at(l, 0)->name, result ? "b.small" : "a.floats");
        fum_loader_close(&l);
        if (!result) break;
        assert_int_equal(result, FUM_ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest all[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(holds_every_dtype_and_empty_shapes),
        cmocka_unit_test(opens_shards),
        cmocka_unit_test(keeps_types_that_are_not_read),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(refuses_other_files),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
