// SPDX-License-Identifier: MIT
// Trains golden runs with and without activation checkpointing: the same bits, in less memory.
#define _DEFAULT_SOURCE // mkdtemp
#include "replayed.h"

#include "exec/executable.h"
#include "train/training.h"

enum { STEPS = 4 };

struct trained {
    double losses[STEPS], norms[STEPS];
    uint64_t activations; // bytes
    fum_loader *state;
};

struct run {
    const char *file;
    const char *precision;
    // largest share of the activations that stays
    double share;
};

static bool on_step(void *user, const struct fum_training_step *step) {
    struct trained *t = user;
    t->losses[step->step - 1] = step->loss;
    t->norms[step->step - 1] = step->gradient_norm;
    return true;
}

static void train(struct replayed *r, const char *name, const char *const *more,
                  struct trained *trained) {
    struct fum_error err = {0};
    struct fum_executable_stats stats;
    fum_training *training = NULL;
    struct fum_training_params params = replayed_params(r, name);
    const char *settings[MAX_SETTINGS + 4];
    for (size_t i = 0; i < r->num_settings; i++) settings[i] = r->settings[i];
    for (; *more; more++) settings[params.num_settings++] = *more;
    params.settings = settings;
    params.on_step = on_step;
    params.user = trained;
    ok(fum_training_create(&training, shared_device, &params, &err), &err);
    fum_executable_get_stats(training->now->executable, &stats);
    trained->activations = stats.activation_bytes;
    ok(fum_training_run(training, &err), &err);
    fum_training_destroy(&training);
    char *state = fum_path_join(r->arena, params.output, "checkpoint/state.safetensors");
    ok(fum_loader_open(&trained->state, state, &err), &err);
}

// Checks that two checkpoints hold the same tensors with the same bits.
static void check_same_state(struct replayed *r, const fum_loader *a, const fum_loader *b) {
    struct fum_error err = {0};
    assert_int_equal(fum_loader_count(a), fum_loader_count(b));
    for (size_t i = 0; i < fum_loader_count(a); i++) {
        const struct fum_loader_tensor *one = fum_loader_at(a, i);
        const struct fum_loader_tensor *other = fum_loader_find(b, one->name);
        if (!other) fail_msg("%s is missing", one->name);
        uint64_t bytes = fum_view_count(&one->view) * fum_dtype_size(one->view.dtype);
        void *both[2] = {fum_arena_alloc(r->arena, bytes, 1), fum_arena_alloc(r->arena, bytes, 1)};
        assert_true(both[0] && both[1]);
        ok(fum_view_read(&one->view, 0, bytes, both[0], &err), &err);
        ok(fum_view_read(&other->view, 0, bytes, both[1], &err), &err);
        if (memcmp(both[0], both[1], bytes)) fail_msg("%s differs", one->name);
    }
}

static void test_run(void **state) {
    const struct run *run = *state;
    struct replayed r;
    char path[512];
    const char *data = getenv("FUM_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", data ? data : "tests/data", run->file);
    open_replayed(&r, path);
    char *precision = fum_arena_printf(r.arena, "train.precision=%s", run->precision);
    struct trained all = {{0}, {0}, 0, NULL}, blocks = all;
    train(&r, "all", (const char *const[]){precision, "train.steps=4", NULL}, &all);
    train(&r, "blocks",
          (const char *const[]){precision, "train.steps=4", "train.checkpointing=true", NULL},
          &blocks);
    assert_memory_equal(all.losses, blocks.losses, sizeof all.losses);
    assert_memory_equal(all.norms, blocks.norms, sizeof all.norms);
    check_same_state(&r, all.state, blocks.state);
    double share = (double)blocks.activations / (double)all.activations;
    if (share > run->share)
        fail_msg("%s: %llu bytes of %llu stay", run->file, (unsigned long long)blocks.activations,
                 (unsigned long long)all.activations);
    print_message("%s %s: %.2f of the activations\n", run->file, run->precision, share);
    fum_loader_close(&all.state);
    fum_loader_close(&blocks.state);
    close_replayed(&r);
}

#define RUN(file, precision, share)                               \
    {                                                             \
        file " " precision, test_run, NULL, NULL, &(struct run) { \
            file ".safetensors", precision, share                 \
        }                                                         \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN("train_ddpm_simple", "f32", 0.65), RUN("train_ddpm_simple", "f16", 0.75),
        RUN("train_ddpm_hybrid", "f32", 0.85), RUN("train_lora", "f32", 0.8),
        RUN("train_lora", "f16", 0.75),        RUN("train_lora_all", "bf16", 0.75),
        RUN("train_dreambooth", "f16", 1),     RUN("train_inversion", "f32", 0.85),
        RUN("train_ldm_vae", "f32", 1),        RUN("train_ldm_unet", "f32", 1),
        RUN("train_vqvae", "f32", 0.8),
    };
    return cmocka_run_group_tests_name("train-checkpointing", tests, open_shared, close_shared);
}
