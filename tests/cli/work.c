// SPDX-License-Identifier: MIT
// Handing out the lines of a batch. Pictures that are there are skipped, and what a device gives
// back comes again. Slow devices take nothing that others draw sooner.
#define _POSIX_C_SOURCE 200809L

#include "test.h"

#include "cli/batch/work.h"

struct fixture {
    char dir[64];
    struct manifest manifest;
    struct generate_options defaults;
    struct work *work;
};

// Reads lines into work for a folder of its own.
static void begin(struct fixture *f, const char *lines) {
    snprintf(f->dir, sizeof f->dir, "/tmp/fumarole-work-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->defaults = generate_options_default();
    assert_int_equal(manifest_open(&f->manifest, f->dir), 0);
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs(lines, file);
    rewind(file);
    const struct work_params params = {
        .file = file, .name = "lines", .defaults = &f->defaults, .manifest = &f->manifest};
    assert_int_equal(work_create(&f->work, &params), 0);
    fclose(file);
}

static void end(struct fixture *f) {
    char command[100];
    work_destroy(&f->work);
    manifest_close(&f->manifest);
    snprintf(command, sizeof command, "rm -r %s", f->dir);
    assert_int_equal(system(command), 0);
}

// Adds the next picture of a unit.
static void add(struct fixture *f, int worker, struct work_unit *unit, double seconds) {
    char sha256[FUM_SHA256_TEXT];
    fum_sha256_text("x", 1, sha256);
    const struct work_picture picture = {.row = {.line = unit->line->number,
                                                 .index = unit->first++,
                                                 .seconds = seconds,
                                                 .device = "a device",
                                                 .sha256 = sha256,
                                                 .png = "x",
                                                 .bytes = 1},
                                         .worker = worker,
                                         .width = 8,
                                         .height = 8};
    assert_true(work_add(f->work, &picture));
}

static void units_are_what_is_missing(void **state) {
    (void)state;
    struct fixture f;
    struct work_unit unit, again;
    int done, all;
    begin(&f, "{\"prompt\":\"a\",\"seed\":1,\"batch_count\":3}\n\n{\"prompt\":\"b\",\"seed\":1}\n");
    int worker = work_join(f.work);
    assert_true(work_take(f.work, worker, &unit));
    assert_int_equal(unit.line->number, 1);
    assert_int_equal(unit.end, 1);
    add(&f, worker, &unit, 1);
    assert_true(work_take(f.work, worker, &unit));
    work_give_back(f.work, &unit);
    assert_true(work_take(f.work, worker, &again));
    assert_int_equal(again.first, unit.first);
    add(&f, worker, &again, 1);
    work_fail_line(f.work, again.line, "it cannot be drawn");
    assert_true(work_take(f.work, worker, &unit));
    assert_int_equal(unit.line->number, 3);
    assert_true(work_count(f.work, &done, &all));
    assert_int_equal(done, 2);
    assert_int_equal(all, 3); // the third of line 1 is given up
    add(&f, worker, &unit, 1);
    assert_false(work_take(f.work, worker, &again));
    assert_false(work_count(f.work, &done, &all));
    assert_int_equal(work_status(f.work), CLI_FAILED);
    end(&f);
}

static void what_is_there_is_not_drawn_again(void **state) {
    (void)state;
    struct fixture f;
    struct work_unit unit;
    begin(&f, "{\"prompt\":\"a\",\"seed\":1,\"batch_count\":3}\n");
    int worker = work_join(f.work);
    assert_true(work_take(f.work, worker, &unit));
    add(&f, worker, &unit, 1);
    work_destroy(&f.work);
    manifest_close(&f.manifest);
    assert_int_equal(manifest_open(&f.manifest, f.dir), 0);
    assert_int_equal(f.manifest.count, 1);
    assert_non_null(manifest_find(&f.manifest, 1));
    assert_null(manifest_find(&f.manifest, 2));
    end(&f);
}

// Draws 20 pictures on devices that take so many seconds. Returns when the last one ends, as far as
// simulated time goes.
static double simulate(const double *seconds, int devices, int *drawn) {
    struct fixture f;
    struct work_unit unit[4];
    double ends[4] = {0}, now = 0;
    bool busy[4] = {0};
    int done, all, number[4];
    begin(&f, "{\"prompt\":\"a\",\"seed\":1,\"batch_count\":20}\n");
    for (int i = 0; i < devices; i++) number[i] = work_join(f.work);
    while (work_count(f.work, &done, &all)) {
        int next = -1;
        for (int i = 0; i < devices; i++) {
            if (!busy[i] && (busy[i] = work_take(f.work, number[i], &unit[i])))
                ends[i] = now + seconds[i];
            if (busy[i] && (next < 0 || ends[i] < ends[next])) next = i;
        }
        assert_true(next >= 0); // else all wait for each other
        now = ends[next];
        add(&f, number[next], &unit[next], seconds[next]);
        busy[next] = false;
        drawn[next]++;
    }
    end(&f);
    return now;
}

static void unequal_devices_end_together(void **state) {
    (void)state;
    int equal[4] = {0}, unequal[2] = {0};
    assert_true(simulate((double[]){1, 1, 1, 1}, 4, equal) < 5.5);
    assert_int_equal(equal[0] + equal[1] + equal[2] + equal[3], 20);
    // The slow device draws while the fast one is not done, and takes nothing at the end.
    assert_true(simulate((double[]){1, 7}, 2, unequal) < 18.5);
    assert_int_equal(unequal[1], 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_what_is_missing),
        cmocka_unit_test(what_is_there_is_not_drawn_again),
        cmocka_unit_test(unequal_devices_end_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
