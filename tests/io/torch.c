// SPDX-License-Identifier: MIT
// Files of torch.save (tests/golden/torch_files.py): every tensor in both forms, damage, and files
// that would run something elsewhere.
#include "io.h"

#include "io/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *data_path(const char *name) {
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/torch/%s", getenv("FUM_TEST_DATA"), name);
    return path;
}

static void assert_same_tensor(const fum_loader *l, const struct fum_loader_tensor *expected) {
    const struct fum_loader_tensor *t = fum_loader_find(l, expected->name);
    uint8_t a[512], b[512];
    struct fum_error err = {0};
    if (!t) fail_msg("no tensor %s", expected->name);
    assert_int_equal(t->view.dtype, expected->view.dtype);
    assert_int_equal(t->view.rank, expected->view.rank);
    for (int i = 0; i < t->view.rank; i++) assert_int_equal(t->view.dim[i], expected->view.dim[i]);
    assert_int_equal(t->bytes, expected->bytes);
    assert_true(t->bytes <= sizeof a);
    assert_ok(fum_view_read(&t->view, 0, t->bytes, a, &err), err);
    assert_ok(fum_view_read(&expected->view, 0, t->bytes, b, &err), err);
    if (memcmp(a, b, (size_t)t->bytes)) fail_msg("tensor %s differs", t->name);
}

static void holds_every_tensor_in_both_forms(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_loader *expected = NULL;
    assert_ok(fum_loader_open(&expected, data_path("tensors.safetensors"), &err), err);
    static const char *const files[] = {"zip.pth", "old.pth"};
    for (size_t f = 0; f < 2; f++) {
        fum_loader *l = NULL;
        assert_ok(fum_loader_open(&l, data_path(files[f]), &err), err);
        assert_int_equal(fum_loader_count(l), fum_loader_count(expected));
        for (size_t i = 0; i < fum_loader_count(expected); i++)
            assert_same_tensor(l, fum_loader_at(expected, i));
        fum_loader_close(&l);
    }
    fum_loader_close(&expected);
}

static void opens_checkpoints_and_parameters(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_loader *l = NULL;
    assert_ok(fum_loader_open(&l, data_path("state.pth"), &err), err);
    assert_int_equal(fum_loader_count(l), 7);
    assert_int_equal(fum_loader_find(l, "0.weight")->view.dim[1], 3);
    assert_int_equal(fum_loader_find(l, "1.num_batches_tracked")->view.dtype, FUM_I64);
    fum_loader_close(&l);
    assert_ok(fum_loader_open(&l, data_path("parameters.pth"), &err), err);
    assert_int_equal(fum_loader_count(l), 1);
    fum_loader_close(&l);
}

// Checkpoints of pytorch_lightning hold callbacks, NumPy's values and sets: all of them inert.
static void reads_what_trainings_leave(void **state) {
    (void)state;
    static const char *const files[] = {"lightning.ckpt", "lightning-old.ckpt"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct fum_error err = {0};
        fum_loader *l = NULL;
        assert_ok(fum_loader_open(&l, data_path(files[i]), &err), err);
        assert_int_equal(fum_loader_count(l), 2);
        assert_int_equal(fum_loader_find(l, "model.weight")->view.dim[0], 6);
        assert_non_null(fum_loader_find(l, "model_ema.modelweight"));
        fum_loader_close(&l);
    }
}

// An index of shards, as transformers writes beside pytorch_model-00001-of-00002.bin.
static void reads_shards(void **state) {
    (void)state;
    static const char *const files[] = {"state.pth", "parameters.pth"};
    static const char index[] = "{\"metadata\":{},\"weight_map\":{\"0.weight\":\"state.pth\","
                                "\"weight\":\"parameters.pth\"}}";
    struct fum_error err = {0};
    fum_loader *l = NULL;
    for (int i = 0; i < 2; i++) {
        char *bytes = NULL;
        size_t size = 0;
        assert_ok(fum_file_read(data_path(files[i]), 1 << 20, &bytes, &size, &err), err);
        write_file(scratch(files[i]), bytes, size);
        fum_free(bytes);
    }
    write_file(scratch("pytorch_model.bin.index.json"), index, sizeof index - 1);
    assert_ok(fum_loader_open(&l, scratch("pytorch_model.bin.index.json"), &err), err);
    assert_int_equal(fum_loader_file_count(l), 2);
    assert_int_equal(fum_loader_count(l), 8);
    assert_int_equal(fum_loader_find(l, "weight")->file, 1);
    fum_loader_close(&l);
}

// The old form names the class of the dict by an identification, as it does storages.
static void reads_the_parameters_of_a_dict(void **state) {
    (void)state;
    static const char *const files[] = {"inversion.pt", "inversion-old.pt"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct fum_error err = {0};
        fum_loader *l = NULL;
        assert_ok(fum_loader_open(&l, data_path(files[i]), &err), err);
        const struct fum_loader_tensor *t = fum_loader_find(l, "string_to_param.*");
        assert_non_null(t);
        assert_int_equal(t->view.dim[0], 6);
        fum_loader_close(&l);
    }
}

// Reads the f32 values of a tensor. Free them with free.
static float *read_values(const fum_loader *l, const char *name, size_t *count) {
    struct fum_error err = {0};
    const struct fum_loader_tensor *t = fum_loader_find(l, name);
    if (!t) fail_msg("no tensor %s", name);
    *count = (size_t)fum_view_count(&t->view);
    float *values = malloc(*count * sizeof *values);
    assert_non_null(values);
    assert_ok(fum_view_read_f32(&t->view, values, &err), err);
    return values;
}

// Compares with torch's conversion bit for bit; any NaN stands for any other.
static void converts_types_as_torch_does(void **state) {
    (void)state;
    static const char *const files[] = {"types.safetensors", "types.pt"};
    static const char *const types[] = {"f8_e4m3", "f8_e5m2", "bf16", "f64"};
    struct fum_error err = {0};
    fum_loader *expected = NULL;
    assert_ok(fum_loader_open(&expected, data_path("types.safetensors"), &err), err);
    for (int f = 0; f < 2; f++) {
        fum_loader *l = NULL;
        assert_ok(fum_loader_open(&l, data_path(files[f]), &err), err);
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            char name[32];
            size_t count, same;
            snprintf(name, sizeof name, "%s as f32", types[i]);
            float *a = read_values(l, types[i], &count), *b = read_values(expected, name, &same);
            assert_int_equal(count, same);
            for (size_t k = 0; k < count; k++) {
                bool nan = a[k] != a[k] && b[k] != b[k];
                if (!nan && memcmp(&a[k], &b[k], sizeof *a))
                    fail_msg("%s, value %zu: %a, torch says %a", name, k, (double)a[k],
                             (double)b[k]);
            }
            free(a);
            free(b);
        }
        fum_loader_close(&l);
    }
    fum_loader_close(&expected);
}

static void runs_nothing(void **state) {
    (void)state;
    static const struct {
        const char *file, *says;
    } cases[] = {
        {"evil-zip.pth", "posix.system"},
        {"evil-old.pth", "posix.system"},
        {"module.pth", "torch.nn.modules.linear.Linear"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        fum_loader *l = NULL;
        assert_int_equal(fum_loader_open(&l, data_path(cases[i].file), &err), FUM_ERR_UNSUPPORTED);
        assert_contains(err.text, cases[i].says);
        assert_contains(err.text, "nothing is run");
        assert_null(l);
    }
    assert_false(fum_path_may_exist("evil-was-run"));
}

// ---- damage ----

// Gives the target a copy of exactly `size` bytes, so that the address sanitizer sees a read past
// its end.
static void try_bytes(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void damage_ends_in_an_error(void **state) {
    (void)state;
    static const char *const files[] = {"zip.pth", "old.pth", "parameters.pth"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char *bytes = NULL;
        size_t size = 0;
        uint32_t seed = 7;
        struct fum_error err = {0};
        assert_ok(fum_file_read(data_path(files[f]), 1 << 20, &bytes, &size, &err), err);
        for (size_t n = 0; n < size; n += 1 + n / 64) try_bytes((uint8_t *)bytes, n);
        for (int i = 0; i < 4000; i++) {
            seed = seed * 1664525 + 1013904223;
            size_t at = (seed >> 8) % size;
            char old = bytes[at];
            bytes[at] = (char)(i % 2 ? bytes[at] ^ (1 << (seed & 7)) : (int)(seed >> 16));
            try_bytes((uint8_t *)bytes, size);
            if (i % 8) bytes[at] = old; // some damage adds up
        }
        fum_free(bytes);
    }
}

// A pickle whose first value is an empty tuple, before there is a stack.
static void an_empty_tuple_may_come_first(void **state) {
    (void)state;
    try_bytes((const uint8_t *)"Z\x80\x02).", 5);
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    static const char *const files[] = {"zip.pth", "old.pth"};
    for (size_t f = 0; f < 2; f++) {
        enum fum_result result = FUM_ERR_NOMEM;
        for (long n = 0; result; n++) {
            struct fum_error err = {0};
            fum_loader *l = NULL;
            fum_alloc_fail_after(n);
            result = fum_loader_open(&l, data_path(files[f]), &err);
            fum_alloc_fail_after(-1);
            if (result) assert_int_equal(result, FUM_ERR_NOMEM);
            assert_true(!result == (l != NULL));
            fum_loader_close(&l);
        }
    }
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(holds_every_tensor_in_both_forms),
        cmocka_unit_test(opens_checkpoints_and_parameters),
        cmocka_unit_test(reads_what_trainings_leave),
        cmocka_unit_test(reads_shards),
        cmocka_unit_test(reads_the_parameters_of_a_dict),
        cmocka_unit_test(converts_types_as_torch_does),
        cmocka_unit_test(runs_nothing),
        cmocka_unit_test(damage_ends_in_an_error),
        cmocka_unit_test(an_empty_tuple_may_come_first),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
