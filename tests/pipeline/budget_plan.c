// SPDX-License-Identifier: MIT
// Plans of the memory budget: which components leave, in which order, and what fits then.

#include "test.h"

#include "pipeline/budget_plan.h"

enum { ENCODER, UNET, VAE, COUNT };

// Three components of 10, 40 and 5 bytes.
static struct fum_budget_plan plan(uint64_t whole, uint64_t least, uint64_t left, bool kept) {
    const struct fum_budget_item items[COUNT] = {
        [ENCODER] = {.held = 10, .keep_rank = 0},
        [UNET] = {.held = 40, .keep_rank = 2, .kept = kept},
        [VAE] = {.held = 5, .keep_rank = 1},
    };
    return fum_budget_plan(items, COUNT, &(struct fum_budget_need){whole, least}, left);
}

static void nobody_leaves_where_there_is_room(void **state) {
    (void)state;
    struct fum_budget_plan p = plan(30, 5, 30, false);
    assert_int_equal(p.fit, FUM_BUDGET_RESIDENT);
    assert_int_equal(p.evictions, 0);
    assert_int_equal(p.room, 30);
}

static void the_lowest_rank_leaves_first_and_no_more_than_it_takes(void **state) {
    (void)state;
    static const struct {
        uint64_t whole;
        int evictions, room;
        enum fum_budget_fit fit;
    } cases[] = {
        {21, 1, 30, FUM_BUDGET_RESIDENT}, {30, 1, 30, FUM_BUDGET_RESIDENT},
        {31, 2, 35, FUM_BUDGET_RESIDENT}, {36, 3, 75, FUM_BUDGET_RESIDENT},
        {75, 3, 75, FUM_BUDGET_RESIDENT}, {76, 3, 75, FUM_BUDGET_STREAMED},
    };
    static const int order[] = {ENCODER, VAE, UNET};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_budget_plan p = plan(cases[i].whole, 8, 20, false);
        assert_int_equal(p.fit, cases[i].fit);
        assert_int_equal(p.evictions, cases[i].evictions);
        assert_int_equal(p.room, cases[i].room);
        for (int k = 0; k < p.evictions; k++) assert_int_equal(p.evict[k], order[k]);
    }
}

// What is kept stays as long as the other one can stream its weights.
static void what_is_kept_leaves_only_for_the_least(void **state) {
    (void)state;
    struct fum_budget_plan streams = plan(60, 35, 20, true), needs = plan(60, 36, 20, true);
    assert_int_equal(streams.fit, FUM_BUDGET_STREAMED);
    assert_int_equal(streams.evictions, 2);
    assert_int_equal(streams.room, 35);
    assert_int_equal(needs.fit, FUM_BUDGET_RESIDENT);
    assert_int_equal(needs.evictions, 3);
    assert_int_equal(needs.evict[2], UNET);
}

static void says_when_nothing_helps(void **state) {
    (void)state;
    struct fum_budget_plan p = plan(100, 76, 20, false);
    assert_int_equal(p.fit, FUM_BUDGET_TOO_SMALL);
    assert_int_equal(p.evictions, 3);
    p = plan(100, 75, 20, false);
    assert_int_equal(p.fit, FUM_BUDGET_STREAMED);
    // A component smaller than its streaming needs no streaming.
    p = plan(70, 90, 20, false);
    assert_int_equal(p.fit, FUM_BUDGET_RESIDENT);
}

static void what_is_not_there_cannot_leave(void **state) {
    (void)state;
    const struct fum_budget_item items[] = {{.held = 0}, {.held = 3, .keep_rank = 1}};
    struct fum_budget_plan p = fum_budget_plan(items, 2, &(struct fum_budget_need){.whole = 9}, 4);
    assert_int_equal(p.evictions, 1);
    assert_int_equal(p.evict[0], 1);
    assert_int_equal(p.room, 7);
    assert_int_equal(fum_budget_plan(NULL, 0, &(struct fum_budget_need){9, 5}, 4).fit,
                     FUM_BUDGET_TOO_SMALL);
}

static void the_smallest_budget_is_the_largest_component_with_transfers(void **state) {
    (void)state;
    assert_int_equal(fum_budget_smallest((const uint64_t[]){3, 9, 4}, 3, 5), 14);
    assert_int_equal(fum_budget_smallest(NULL, 0, 5), 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_leaves_where_there_is_room),
        cmocka_unit_test(the_lowest_rank_leaves_first_and_no_more_than_it_takes),
        cmocka_unit_test(what_is_kept_leaves_only_for_the_least),
        cmocka_unit_test(says_when_nothing_helps),
        cmocka_unit_test(what_is_not_there_cannot_leave),
        cmocka_unit_test(the_smallest_budget_is_the_largest_component_with_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
