// SPDX-License-Identifier: MIT
// Data sets while the n-th allocation is refused: one error, or the same result.
#include "dataset.h"

#include "base/alloc.h"
#include "data/feed.h"

#include <fumarole/dataset.h>

// Opens a data set and reads two batches. Returns the first failure.
static enum fum_result read_batches(const struct fum_data_settings *settings,
                                    struct fum_error *err) {
    fum_data *data = NULL;
    fum_data_feed *feed = NULL;
    enum fum_result result = fum_data_open(&data, settings, err);
    if (!result) {
        const struct fum_data_feed_params params = {
            .data = data, .batch = 2, .seed = 1, .threads = 1};
        result = fum_data_feed_start(&feed, &params, err);
    }
    for (int i = 0; i < 2 && !result; i++) {
        const struct fum_data_batch *batch = NULL;
        result = fum_data_feed_next(feed, &batch, err);
    }
    fum_data_feed_stop(&feed);
    fum_data_close(&data);
    return result;
}

// Refuses each allocation in turn until the work is done without a refusal.
static void refuse_each(const struct fum_data_settings *settings) {
    for (long n = 0; n < 5000; n++) {
        struct fum_error err = {0};
        fum_alloc_fail_after(n);
        enum fum_result result = read_batches(settings, &err);
        fum_alloc_fail_after(-1);
        if (!result) return;
        if (result != FUM_ERR_NOMEM)
            fail_msg("%s, allocation %ld: %s", settings->path, n, err.text);
        assert_true(err.text[0]);
    }
    fail_msg("%s: over 5000 allocations", settings->path);
}

static void readers_report_refused_memory(void **state) {
    (void)state;
    static const uint8_t idx[16 + 12] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2};
    static const uint8_t labels[8 + 3] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2};
    static const uint8_t record[3073] = {4};
    const uint8_t grey[3] = {9, 9, 9};
    write_file(scratch("m-idx/train-images-idx3-ubyte"), idx, sizeof idx);
    write_file(scratch("m-idx/train-labels-idx1-ubyte"), labels, sizeof labels);
    write_text(scratch("m-idx/classes.txt"), "a\nb\nc\n");
    write_file(scratch("m-cifar/data_batch_1.bin"), record, sizeof record);
    write_picture(scratch("m-table/a.png"), 3, 4, grey);
    write_text(scratch("m-table/captions.tsv"), "file\tname\na.png\tx\na.png\ty\n");
    write_picture(scratch("m-classes/a/1.png"), 5, 4, grey);
    write_text(scratch("m-classes/a/1.txt"), "a picture");
    write_picture(scratch("m-classes/b/2.png"), 4, 9, grey);
    const struct fum_data_settings cases[] = {
        {.path = scratch("m-idx"), .label = "b,2"},
        {.path = scratch("m-cifar"), .kind = "cifar"},
        {.path = scratch("m-table"), .width = 2, .height = 2, .channels = 1},
        {.path = scratch("m-classes"), .width = 8, .height = 8, .bucket_step = 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refuse_each(&cases[i]);
}

static void makers_report_refused_memory(void **state) {
    (void)state;
    static const char dejavu[] = "/usr/share/fonts/truetype/dejavu";
    struct fum_error err = {0};
    const struct fum_dataset_glyphs_params glyphs = {
        .output = scratch("m-glyphs"), .count = 10, .held_out = 3, .fonts = dejavu};
    enum fum_result result = fum_dataset_glyphs(&glyphs, NULL, &err);
    if (result == FUM_ERR_IO || result == FUM_ERR_UNSUPPORTED) skip(); // no fonts, or no FreeType
    ok(result, &err);
    for (long n = 0; n < 3000; n++) {
        fum_alloc_fail_after(n);
        result = fum_dataset_glyphs(&glyphs, NULL, &err);
        fum_alloc_fail_after(-1);
        if (!result) return;
        // faces without memory for their characters are skipped, and too few may be left
        if (result != FUM_ERR_NOMEM && result != FUM_ERR_IO) fail_msg("%ld: %s", n, err.text);
    }
    fail_msg("over 3000 allocations");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_report_refused_memory),
        cmocka_unit_test(makers_report_refused_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
