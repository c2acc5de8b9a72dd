// SPDX-License-Identifier: MIT
// Orders of samples, buckets, and batches that are read ahead.
#include "dataset.h"

#include "data/feed.h"
#include "data/order.h"

#include <math.h>

static void permutations_hold_each_number_once(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 2, 3, 5, 16, 17, 1000, 4097};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t key = 0; key < 20; key++) {
            bool *seen = calloc((size_t)counts[c], sizeof *seen);
            for (int64_t i = 0; i < counts[c]; i++) {
                int64_t at = fum_data_permute(i, counts[c], key);
                assert_in_range(at, 0, counts[c] - 1);
                assert_false(seen[at]);
                seen[at] = true;
            }
            free(seen);
        }
}

// Pearson's chi-squared statistic of where three numbers go under many keys: all 6 orders are as
// frequent, and so are the places of one number of 10.
static void permutations_are_spread_evenly(void **state) {
    (void)state;
    enum { KEYS = 60000 };
    double orders[27] = {0}, places[10] = {0}, chi = 0;
    for (uint64_t key = 0; key < KEYS; key++) {
        int64_t order = 0;
        for (int i = 0; i < 3; i++) order = order * 3 + fum_data_permute(i, 3, key);
        orders[order]++;
        places[fum_data_permute(4, 10, key)]++;
    }
    for (int i = 0; i < 27; i++)
        if (orders[i] > 0) chi += pow(orders[i] - KEYS / 6.0, 2) / (KEYS / 6.0);
    assert_true(chi < 30); // 5 degrees of freedom: probability 1.5e-5
    chi = 0;
    for (int i = 0; i < 10; i++) chi += pow(places[i] - KEYS / 10.0, 2) / (KEYS / 10.0);
    assert_true(chi < 38); // 9 degrees of freedom: 1.7e-5
}

enum { PICTURES = 10 };

// A folder of pictures whose colour is their number; two of them are broken.
static void make_folder(void) {
    for (int i = 0; i < PICTURES; i++) {
        char name[40];
        const uint8_t rgb[3] = {(uint8_t)(20 * i), 0, 0};
        snprintf(name, sizeof name, "order/%02d.png", i);
        if (i == 3 || i == 7)
            write_text(scratch(name), "broken");
        else
            write_picture(scratch(name), i % 2 ? 16 : 8, 8, rgb);
    }
}

static void epochs_hold_each_sample_once(void **state) {
    (void)state;
    make_folder();
    fum_data *data = open_good((struct fum_data_settings){
        .path = scratch("order"), .width = 8, .height = 8, .flip = true});
    const struct fum_data_order order = {data, 42, 4}, other = {data, 43, 4};
    int seen[PICTURES] = {0}, flips = 0, same = 0;
    for (int64_t n = 0; n < 5; n++) // 20 samples: two epochs
        for (int row = 0; row < 4; row++) {
            struct fum_data_pick pick = fum_data_order_pick(&order, n, row);
            seen[pick.index]++;
            flips += pick.flip;
            same += pick.index == fum_data_order_pick(&other, n, row).index;
            if (n * 4 + row == 9)
                for (int i = 0; i < PICTURES; i++) assert_int_equal(seen[i], 1);
        }
    for (int i = 0; i < PICTURES; i++) assert_int_equal(seen[i], 2);
    assert_in_range(flips, 1, 19);
    assert_true(same < 15);
    fum_data_close(&data);
}

struct messages {
    int count;
    char text[4][600];
};

static void keep_message(void *user, enum fum_log_level level, const char *text) {
    struct messages *m = user;
    assert_int_equal(level, FUM_LOG_WARN);
    if (m->count < 4) snprintf(m->text[m->count], sizeof m->text[0], "%s", text);
    m->count++;
}

// Hashes the batches from `first` to `last` as a feed of so many threads yields them.
static uint64_t hash_batches(fum_data *data, int64_t first, int64_t last, int threads) {
    fum_data_feed *feed = NULL;
    struct fum_error err = {0};
    uint64_t hash = 1469598103934665603u;
    ok(fum_data_feed_start(
           &feed,
           &(struct fum_data_feed_params){
               .data = data, .seed = 5, .batch = 3, .first = first, .threads = threads},
           &err),
       &err);
    for (int64_t n = first; n < last; n++) {
        const struct fum_data_batch *batch = NULL;
        ok(fum_data_feed_next(feed, &batch, &err), &err);
        assert_int_equal(batch->number, n);
        assert_int_equal(batch->count, 3);
        size_t each = (size_t)(batch->channels * batch->height * batch->width);
        for (int row = 0; row < 3; row++) {
            float colour = batch->pixels[(size_t)row * each + each / 3 - 1];
            int64_t index = batch->picks[row].index;
            assert_true(index != 3 && index != 7);
            if (!batch->picks[row].flip)
                assert_true(fabsf(colour * 255 - (float)(20 * index)) < 0.01f);
            assert_int_equal(batch->labels[row], -1);
        }
        const uint8_t *bytes = (const uint8_t *)batch->pixels;
        for (size_t i = 0; i < 3 * each * sizeof(float); i++)
            hash = (hash ^ bytes[i]) * 1099511628211u;
    }
    fum_data_feed_stop(&feed);
    assert_null(feed);
    return hash;
}

static void feeds_do_not_depend_on_threads(void **state) {
    (void)state;
    struct messages messages = {0};
    const struct fum_log log = {keep_message, &messages, FUM_LOG_WARN};
    const struct fum_data_settings settings = {
        .path = scratch("order"), .width = 8, .height = 8, .flip = true, .log = &log};
    fum_data *data = open_good(settings);
    uint64_t one = hash_batches(data, 0, 40, 1);
    assert_int_equal(messages.count, 2);
    assert_int_equal(fum_data_broken_count(data), 2);
    assert_non_null(strstr(messages.text[0], "skipped: "));
    assert_non_null(strstr(messages.text[0], ".png"));
    for (int threads = 2; threads <= 4; threads++)
        assert_true(hash_batches(data, 0, 40, threads) == one);
    assert_int_equal(messages.count, 2);
    fum_data_close(&data);
    assert_int_equal(messages.count, 3);
    assert_string_equal(messages.text[2], "2 of 10 pictures were broken and skipped");
    // A run that begins later gets the same batches, whatever was broken before it.
    data = open_good(settings);
    uint64_t later = hash_batches(data, 25, 40, 2);
    fum_data_close(&data);
    data = open_good(settings);
    hash_batches(data, 0, 25, 3);
    assert_true(hash_batches(data, 25, 40, 1) == later);
    fum_data_close(&data);
}

static void all_broken_is_an_error(void **state) {
    (void)state;
    write_text(scratch("wreck/a.png"), "x");
    write_text(scratch("wreck/b.png"), "y");
    fum_data *data = open_good((struct fum_data_settings){
        .path = scratch("wreck"), .width = 8, .height = 8, .channels = 3});
    fum_data_feed *feed = NULL;
    struct fum_error err = {0};
    const struct fum_data_batch *batch = NULL;
    ok(fum_data_feed_start(&feed, &(struct fum_data_feed_params){.data = data, .batch = 1}, &err),
       &err);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fum_data_feed_next(feed, &batch, &err), FUM_ERR_FORMAT);
        assert_string_equal(err.text, "all 2 pictures are broken");
        assert_null(batch);
    }
    fum_data_feed_stop(&feed);
    fum_data_close(&data);
}

static void buckets_follow_the_ratio(void **state) {
    (void)state;
    static const struct {
        int width, height, bucket_width, bucket_height;
    } cases[] = {
        // kohya's make_bucket_resolutions and select_bucket for 512x512 in steps of 64
        {512, 512, 512, 512},   {100, 100, 512, 512}, {1920, 1080, 640, 384},
        {1080, 1920, 384, 640}, {300, 400, 448, 576}, {4000, 100, 1024, 256},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    const uint8_t grey[3] = {9, 9, 9};
    for (int i = 0; i < CASES; i++) {
        char name[40];
        snprintf(name, sizeof name, "buckets/%d.png", i);
        write_picture(scratch(name), cases[i].width, cases[i].height, grey);
    }
    fum_data *data = open_good((struct fum_data_settings){
        .path = scratch("buckets"), .width = 512, .height = 512, .bucket_step = 64});
    int64_t members = 0, count[CASES] = {0};
    assert_int_equal(fum_data_get_info(data)->buckets, 5);
    for (int b = 0; b < 5; b++) members += fum_data_get_bucket(data, b)->count;
    assert_int_equal(members, CASES);
    for (int i = 0; i < CASES; i++) {
        struct fum_data_sample sample;
        struct fum_error err = {0};
        ok(fum_data_read(data, fum_data_pick_plain(data, i), NULL, &sample, &err), &err);
        if (sample.width != cases[i].bucket_width || sample.height != cases[i].bucket_height)
            fail_msg("%dx%d: bucket %dx%d", cases[i].width, cases[i].height, sample.width,
                     sample.height);
    }
    // Every batch is of one size, and every epoch of 5 batches holds each picture.
    const struct fum_data_order order = {data, 1, 2};
    for (int64_t n = 0; n < 5; n++) {
        int bucket = fum_data_order_bucket(&order, n);
        for (int row = 0; row < 2; row++) {
            struct fum_data_pick pick = fum_data_order_pick(&order, n, row);
            assert_int_equal(pick.bucket, bucket);
            assert_int_equal(fum_data_pick_plain(data, pick.index).bucket, bucket);
            count[pick.index]++;
        }
    }
    for (int i = 0; i < CASES; i++) assert_true(count[i] >= 1);
    fum_data_close(&data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permutations_hold_each_number_once),
        cmocka_unit_test(permutations_are_spread_evenly),
        cmocka_unit_test(epochs_hold_each_sample_once),
        cmocka_unit_test(feeds_do_not_depend_on_threads),
        cmocka_unit_test(all_broken_is_an_error),
        cmocka_unit_test(buckets_follow_the_ratio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
