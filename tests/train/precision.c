// SPDX-License-Identifier: MIT
// Trains golden runs of PyTorch again with activations in f16 and bf16. The mean loss of the last
// steps is that of the run in double, within 3 %.
#define _DEFAULT_SOURCE // mkdtemp
#include "replayed.h"

enum { LAST = 10 }; // steps whose losses are averaged: rounding moves single ones

static const double tolerance = 0.03; // relative

struct sum {
    int64_t first; // the first step that counts
    double loss;
};

static bool add_loss(void *user, const struct fum_training_step *step) {
    struct sum *sum = user;
    if (step->step >= sum->first) sum->loss += step->loss;
    return true;
}

static double golden_loss(struct replayed *r, int64_t steps) {
    const float *loss = golden_values(r, "log.", "loss");
    double sum = 0;
    for (int64_t i = steps - LAST; i < steps; i++) sum += (double)loss[i];
    return sum / LAST;
}

static void check_precision(struct replayed *r, const char *setting) {
    struct fum_error err = {0};
    fum_training *training = NULL;
    struct fum_training_params params = replayed_params(r, setting);
    const char *settings[MAX_SETTINGS + 1];
    int64_t steps = fum_loader_find(r->golden, "log.loss")->view.dim[0];
    struct sum sum = {.first = steps - LAST + 1};
    memcpy(settings, r->settings, r->num_settings * sizeof *settings);
    settings[r->num_settings] = setting;
    params.settings = settings;
    params.num_settings = r->num_settings + 1;
    params.on_step = add_loss;
    params.user = &sum;
    ok(fum_training_create(&training, shared_device, &params, &err), &err);
    ok(fum_training_run(training, &err), &err);
    fum_training_destroy(&training);
    double loss = sum.loss / LAST, want = golden_loss(r, steps);
    if (!(fabs(loss - want) <= tolerance * fabs(want)))
        fail_msg("%s: the loss ends at %.6g, in double at %.6g", setting, loss, want);
}

static void ends_near_the_run_in_double(void **state) {
    struct replayed run;
    open_replayed(&run, *state);
    check_precision(&run, "train.precision=f16");
    check_precision(&run, "train.precision=bf16");
    close_replayed(&run);
}

int main(int argc, char **argv) {
    // One run of each recipe.
    static const char *const recipes[] = {
        "vae_conv", "cvae",    "hvae",     "vqvae", "ddpm_simple", "classifier", "score_ve",
        "score_vp", "ldm_vae", "ldm_unet", "lora",  "dreambooth",  "inversion"};
    enum { RECIPES = sizeof recipes / sizeof *recipes };
    const char *data = getenv("FUM_TEST_DATA"), *only = argc > 1 ? argv[1] : NULL;
    char paths[RECIPES][512];
    struct CMUnitTest tests[RECIPES];
    size_t count = 0;
    for (size_t i = 0; i < RECIPES; i++) {
        if (only && strcmp(only, recipes[i]) != 0) continue;
        snprintf(paths[count], sizeof paths[0], "%s/train_%s.safetensors",
                 data ? data : "tests/data", recipes[i]);
        tests[count] =
            (struct CMUnitTest){recipes[i], ends_near_the_run_in_double, NULL, NULL, paths[count]};
        count++;
    }
    return _cmocka_run_group_tests("train-precision", tests, count, open_shared, close_shared);
}
