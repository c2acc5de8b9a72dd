// SPDX-License-Identifier: MIT
// Pictures of every format against what Pillow decodes (tests/golden/images.py), and damaged ones.
#include "io.h"

#include "base/alloc.h"
#include "io/image.h"
#include "io/image_config.h"
#include "io/loader.h"

static fum_loader *open_golden(void) {
    fum_loader *golden = NULL;
    struct fum_error err = {0};
    char path[600];
    snprintf(path, sizeof path, "%s/images.safetensors", getenv("FUM_TEST_DATA"));
    assert_ok(fum_loader_open(&golden, path, &err), err);
    return golden;
}

// Returns a tensor's bytes, to be freed with free.
static uint8_t *read_bytes(const fum_loader *golden, const char *name, size_t *bytes) {
    const struct fum_loader_tensor *t = fum_loader_find(golden, name);
    struct fum_error err = {0};
    assert_non_null(t);
    *bytes = (size_t)fum_view_count(&t->view);
    uint8_t *data = malloc(*bytes);
    assert_ok(fum_view_read(&t->view, 0, *bytes, data, &err), err);
    return data;
}

// True if this build has a reader of files of such a name.
static bool is_supported(const char *name) {
    bool jpeg = strstr(name, ".jpg") != NULL, webp = strstr(name, ".webp") != NULL;
#ifndef FUM_HAS_JPEG
    if (jpeg) return false;
#endif
#ifndef FUM_HAS_WEBP
    if (webp) return false;
#endif
    return jpeg || webp || strstr(name, ".png");
}

// Calls `check` with every golden file.
static void for_each_file(void (*check)(const fum_loader *golden, const char *name,
                                        const struct fum_image_file *file)) {
    fum_loader *golden = open_golden();
    size_t first = 0, count = fum_loader_count_prefix(golden, "file/", &first);
    assert_true(count > 20);
    for (size_t i = first; i < first + count; i++) {
        const char *tensor = fum_loader_at(golden, i)->name, *name = tensor + strlen("file/");
        size_t bytes = 0;
        uint8_t *data = read_bytes(golden, tensor, &bytes);
        if (is_supported(name))
            check(golden, name,
                  &(struct fum_image_file){.data = data, .bytes = bytes, .where = name});
        free(data);
    }
    fum_loader_close(&golden);
}

static void check_pixels(const fum_loader *golden, const char *name,
                         const struct fum_image_file *file) {
    struct fum_bitmap bitmap, size;
    struct fum_error err = {0};
    char tensor[80];
    size_t bytes = 0;
    assert_ok(fum_image_decode(file, 3, &bitmap, NULL, &err), err);
    assert_ok(fum_image_measure(file, &size, &err), err);
    snprintf(tensor, sizeof tensor, "pixels/%s", name);
    uint8_t *pixels = read_bytes(golden, tensor, &bytes);
    const struct fum_view *view = &fum_loader_find(golden, tensor)->view;
    assert_int_equal(bitmap.height, view->dim[0]);
    assert_int_equal(bitmap.width, view->dim[1]);
    assert_int_equal(size.height, view->dim[0]);
    assert_int_equal(size.width, view->dim[1]);
    assert_null(size.pixels);
    int worst = 0;
    for (size_t i = 0; i < bytes; i++) {
        int difference = abs(bitmap.pixels[i] - pixels[i]);
        worst = difference > worst ? difference : worst;
    }
    if (worst > 2) fail_msg("%s: a value is off by %d", name, worst);
    free(pixels);
    fum_bitmap_free(&bitmap);
}

static void pictures_are_those_of_pillow(void **state) {
    (void)state;
    for_each_file(check_pixels);
}

// Every beginning of a file is refused in one line, or is a picture of the whole size.
static void check_cuts(const fum_loader *golden, const char *name,
                       const struct fum_image_file *file) {
    (void)golden;
    int refused = 0, kept = 0;
    for (size_t bytes = 0; bytes < file->bytes; bytes += 1 + bytes / 16) {
        struct fum_error err = {0};
        struct fum_bitmap bitmap;
        uint8_t *cut = malloc(bytes ? bytes : 1);
        memcpy(cut, file->data, bytes);
        const struct fum_image_file short_file = {.data = cut, .bytes = bytes, .where = name};
        if (fum_image_decode(&short_file, 0, &bitmap, NULL, &err)) {
            assert_null(bitmap.pixels);
            assert_contains(err.text, name);
            refused++;
        } else {
            kept++;
        }
        fum_bitmap_free(&bitmap);
        free(cut);
    }
    assert_true(refused > 5);
    assert_true(kept < 3); // such as a JPEG without its end marker
}

static void cut_files_are_refused(void **state) {
    (void)state;
    for_each_file(check_cuts);
}

// Changed bytes end in an error or in a picture, never in a crash.
static void check_changes(const fum_loader *golden, const char *name,
                          const struct fum_image_file *file) {
    (void)golden;
    uint64_t seed = 3;
    uint8_t *changed = malloc(file->bytes);
    for (int round = 0; round < 100; round++) {
        struct fum_error err = {0};
        struct fum_bitmap bitmap, size;
        memcpy(changed, file->data, file->bytes);
        for (int i = 0; i < 3; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t range = round % 2 ? file->bytes : 200;
            changed[(seed >> 33) % (range < file->bytes ? range : file->bytes)] =
                (uint8_t)(seed >> 20);
        }
        const struct fum_image_file other = {.data = changed, .bytes = file->bytes, .where = name};
        enum fum_result result = fum_image_decode(&other, 3, &bitmap, NULL, &err);
        if (result ? bitmap.pixels || !err.text[0] : !bitmap.pixels) fail_msg("%s", name);
        if (!result && !fum_image_measure(&other, &size, &err)) {
            assert_int_equal(size.width, bitmap.width);
            assert_int_equal(size.height, bitmap.height);
        }
        fum_bitmap_free(&bitmap);
    }
    free(changed);
}

static void changed_files_are_survived(void **state) {
    (void)state;
    for_each_file(check_changes);
}

static void check_memory(const fum_loader *golden, const char *name,
                         const struct fum_image_file *file) {
    (void)golden;
    for (long n = 0; n < 100; n++) {
        struct fum_bitmap bitmap;
        struct fum_error err = {0};
        fum_alloc_fail_after(n);
        enum fum_result result = fum_image_decode(file, 2, &bitmap, NULL, &err);
        fum_alloc_fail_after(-1);
        fum_bitmap_free(&bitmap);
        if (!result) return;
        if (result != FUM_ERR_NOMEM) fail_msg("%s: %s", name, err.text);
    }
    fail_msg("%s needs over 100 allocations", name);
}

static void survives_no_memory(void **state) {
    (void)state;
    for_each_file(check_memory);
}

static void other_files_are_named(void **state) {
    (void)state;
    struct fum_bitmap bitmap;
    struct fum_error err = {0};
    const struct fum_image_file gif = {
        .data = (const uint8_t *)"GIF89a", .bytes = 6, .where = "a.png"};
    assert_int_equal(fum_image_decode(&gif, 3, &bitmap, NULL, &err), FUM_ERR_FORMAT);
    assert_string_equal(err.text, "a.png: not a picture in PNG, JPEG, WebP or BMP");
    const struct fum_image_file empty = {.data = (const uint8_t *)"", .bytes = 0, .where = "b.jpg"};
    assert_int_equal(fum_image_measure(&empty, &bitmap, &err), FUM_ERR_FORMAT);
    assert_contains(err.text, "b.jpg");
#ifndef FUM_HAS_JPEG
    const struct fum_image_file jpeg = {
        .data = (const uint8_t *)"\xff\xd8\xff\xe0", .bytes = 4, .where = "c.jpg"};
    assert_int_equal(fum_image_decode(&jpeg, 3, &bitmap, NULL, &err), FUM_ERR_UNSUPPORTED);
    assert_contains(err.text, "without libjpeg-turbo");
#endif
}

static void channels_are_converted(void **state) {
    (void)state;
    struct fum_error err = {0};
    uint8_t pixels[4] = {200, 100, 50, 7};
    static const uint8_t expected[5][5][4] = {
        [1] = {[1] = {200}, [2] = {200, 255}, [3] = {200, 200, 200}, [4] = {200, 200, 200, 255}},
        [2] = {[1] = {200}, [2] = {200, 100}, [3] = {200, 200, 200}, [4] = {200, 200, 200, 100}},
        // 0.299·200 + 0.587·100 + 0.114·50 = 124.2
        [3] = {[1] = {124}, [2] = {124, 255}, [3] = {200, 100, 50}, [4] = {200, 100, 50, 255}},
        [4] = {[1] = {124}, [2] = {124, 7}, [3] = {200, 100, 50}, [4] = {200, 100, 50, 7}},
    };
    for (int from = 1; from <= 4; from++)
        for (int to = 1; to <= 4; to++) {
            struct fum_bitmap out;
            assert_ok(fum_bitmap_convert(&(struct fum_bitmap){pixels, 1, 1, from}, to, &out, &err),
                      err);
            assert_memory_equal(out.pixels, expected[from][to], to);
            fum_bitmap_free(&out);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_those_of_pillow), cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(changed_files_are_survived),   cmocka_unit_test(survives_no_memory),
        cmocka_unit_test(other_files_are_named),        cmocka_unit_test(channels_are_converted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
