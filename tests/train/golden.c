// SPDX-License-Identifier: MIT
// Trains every golden run of PyTorch again: the same loss, terms and gradient norm at each step,
// the same weights in the end. An interrupted run that goes on leaves the same bits as an unbroken
// one.
#define _DEFAULT_SOURCE // mkdtemp
#include "drawn.h"

#include <dirent.h>
#include <glob.h>

static const double tolerance = 1e-3; // relative
// The bias of attention's keys has no gradient: what moves it is rounding.
static const double rounding = 1e-7;

struct watch {
    struct replayed *run;
    int64_t last; // the step to stop after
};

static void check_number(struct replayed *r, const char *name, int64_t step, double value) {
    double want = golden_values(r, "log.", name)[step - 1];
    if (!(fabs(value - want) <= tolerance * fabs(want) + 1e-6))
        fail_msg("step %d: %s is %.9g, PyTorch has %.9g", (int)step, name, value, want);
}

static bool on_step(void *user, const struct fum_training_step *step) {
    struct watch *watch = user;
    check_number(watch->run, "loss", step->step, step->loss);
    for (int i = 0; i < step->num_terms; i++)
        check_number(watch->run, step->terms[i], step->step, step->values[i]);
    check_number(watch->run, "grad_norm", step->step, step->gradient_norm);
    check_number(watch->run, "lr", step->step, step->lr);
    return step->step != watch->last;
}

// Removes the checkpoint that a run began with. Nothing reads it any more, or has it open: a
// checkpoint that is replaced must leave its room on the disk.
static void remove_checkpoint(struct replayed *r, const char *folder) {
    struct fum_error err = {0};
    char *path = fum_path_join(r->arena, folder, "checkpoint/state.safetensors");
    assert_non_null(path);
    DIR *open = opendir("/proc/self/fd"); // Linux has it
    for (struct dirent *entry; open && (entry = readdir(open));) {
        char link[300], target[4096] = "";
        snprintf(link, sizeof link, "/proc/self/fd/%s", entry->d_name);
        if (readlink(link, target, sizeof target - 1) > 0) assert_string_not_equal(target, path);
    }
    if (open) closedir(open);
    ok(fum_path_remove(path, &err), &err);
}

// Trains in the folder `name` until a step, or to the end if that is 0.
static void train(struct replayed *r, const char *name, int64_t last, bool resumes) {
    struct fum_error err = {0};
    struct watch watch = {r, last};
    fum_training *training = NULL;
    struct fum_training_params params = replayed_params(r, name);
    params.on_step = on_step;
    params.user = &watch;
    if (resumes) {
        params.resume = params.output;
        params.init = params.replay = NULL;
        params.num_settings = 0;
    }
    ok(fum_training_create(&training, shared_device, &params, &err), &err);
    if (resumes) remove_checkpoint(r, params.output);
    enum fum_result result = fum_training_run(training, &err);
    if (!last) ok(result, &err);
    if (last) assert_int_equal(result, FUM_ERR_CANCELLED);
    fum_training_destroy(&training);
}

static void check_weights(struct replayed *r, const fum_loader *state, const char *from,
                          const char *golden) {
    size_t first = 0, count = fum_loader_count_prefix(r->golden, golden, &first);
    for (size_t i = 0; i < count; i++) {
        const struct fum_loader_tensor *want = fum_loader_at(r->golden, first + i);
        char name[128];
        snprintf(name, sizeof name, "%s%s", from, want->name + strlen(golden));
        const struct fum_loader_tensor *is = fum_loader_find(state, name);
        if (!is) fail_msg("the checkpoint has no %s", name);
        size_t elements = (size_t)fum_view_count(&want->view);
        assert_int_equal(is->view.rank, want->view.rank);
        for (int k = 0; k < want->view.rank; k++)
            assert_int_equal(is->view.dim[k], want->view.dim[k]);
        const float *a = read_replayed(r, &is->view), *b = read_replayed(r, &want->view);
        double largest = 0;
        for (size_t k = 0; k < elements; k++) largest = fmax(largest, fabs(b[k]));
        for (size_t k = 0; k < elements; k++)
            if (!(fabs(a[k] - b[k]) <= tolerance * largest + rounding))
                fail_msg("%s[%d] is %.9g, PyTorch has %.9g", name, (int)k, a[k], b[k]);
    }
}

static void check_same_file(struct replayed *r, const char *a, const char *b) {
    struct fum_error err = {0};
    char *bytes[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    ok(fum_file_read(replayed_path(r, a), 1 << 24, &bytes[0], &sizes[0], &err), &err);
    ok(fum_file_read(replayed_path(r, b), 1 << 24, &bytes[1], &sizes[1], &err), &err);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    fum_free(bytes[0]);
    fum_free(bytes[1]);
}

static void test_run(void **state) {
    struct fum_error err = {0};
    struct replayed run;
    fum_loader *checkpoint = NULL;
    open_replayed(&run, *state);
    train(&run, "whole", 0, false);
    ok(fum_loader_open(&checkpoint, replayed_path(&run, "whole/checkpoint/state.safetensors"),
                       &err),
       &err);
    check_weights(&run, checkpoint, "model.", "final.");
    check_weights(&run, checkpoint, "ema.", "ema.");
    fum_loader_close(&checkpoint);
    if (fum_loader_find(run.golden, "draw.picture")) check_drawn(&run, shared_device, "whole");
    train(&run, "broken", 21, false);
    train(&run, "broken", 0, true);
    check_same_file(&run, "whole/checkpoint/state.safetensors",
                    "broken/checkpoint/state.safetensors");
    close_replayed(&run);
}

int main(int argc, char **argv) {
    char pattern[512];
    glob_t files;
    struct CMUnitTest tests[64];
    const char *data = getenv("FUM_TEST_DATA"), *only = argc > 1 ? argv[1] : "*";
    snprintf(pattern, sizeof pattern, "%s/train_%s.safetensors", data ? data : "tests/data", only);
    if (glob(pattern, 0, NULL, &files) || files.gl_pathc > 64) return 1;
    for (size_t i = 0; i < files.gl_pathc; i++)
        tests[i] = (struct CMUnitTest){strrchr(files.gl_pathv[i], '/') + 1, test_run, NULL, NULL,
                                       files.gl_pathv[i]};
    int failed =
        _cmocka_run_group_tests("train-golden", tests, files.gl_pathc, open_shared, close_shared);
    globfree(&files);
    return failed;
}
