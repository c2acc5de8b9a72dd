// SPDX-License-Identifier: MIT
// Compares a VQModel with a prior with diffusers' LDMPipeline (tests/golden/vectors.py), as a
// folder of either kind.
#define _DEFAULT_SOURCE // mkdtemp, symlink
#include "picture.h"

#include "base/file.h"
#include "io/loader.h"

#include <unistd.h>

enum { MAX_PATH = 2200, MAX_VALUES = 4096, PICTURES = 2 };

struct context {
    fum_device *device;
    fum_loader *golden;
    char vectors[MAX_PATH];
};

struct pictures {
    size_t pixels, values; // used
    float latents[MAX_VALUES];
    uint8_t bytes[MAX_VALUES];
};

static bool keep_picture(void *user, const struct fum_image *image) {
    struct pictures *p = user;
    size_t values = (size_t)image->latent_width * (size_t)image->latent_height *
                    (size_t)image->latent_channels,
           bytes = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    assert_true(p->values + values <= MAX_VALUES && p->pixels + bytes <= MAX_VALUES);
    memcpy(p->latents + p->values, image->latents, values * sizeof *p->latents);
    memcpy(p->bytes + p->pixels, image->pixels, bytes);
    p->values += values;
    p->pixels += bytes;
    return true;
}

// Returns a golden tensor's values, freed with fum_free.
static float *read_values(const struct context *c, const char *name, int *shape) {
    struct fum_error err = {0};
    const struct fum_loader_tensor *tensor = fum_loader_find(c->golden, name);
    assert_non_null(tensor);
    float *values = fum_alloc(tensor->bytes, 1);
    assert_non_null(values);
    ok(fum_view_read(&tensor->view, 0, tensor->bytes, values, &err), &err);
    for (int i = 0; i < tensor->view.rank; i++) shape[i] = (int)tensor->view.dim[i];
    return values;
}

static void check_pictures(const struct context *c, const struct pictures *p) {
    int shape[5];
    float *latents = read_values(c, "latents", shape),
          *pictures = read_values(c, "pictures", shape);
    double error = relative_rms(p->latents, latents, p->values);
    print_message("latents %.2e\n", error);
    assert_true(error <= 1e-4);
    assert_int_equal(p->pixels, shape[0] * shape[1] * shape[2] * shape[3]);
    for (size_t i = 0; i < p->pixels; i++)
        assert_true(fabs((double)p->bytes[i] - 255 * (double)pictures[i]) < 0.51);
    fum_free(latents);
    fum_free(pictures);
}

static void draw(struct context *c, const char *folder) {
    static struct pictures p;
    struct fum_error err = {0};
    struct fum_generate_params params = {
        .steps = 6, .count = PICTURES, .batch = PICTURES, .on_image = keep_picture, .user = &p};
    float *noise = read_values(c, "noise", params.noise_shape),
          *steps = read_values(c, "step_noise", params.step_noise_shape);
    params.noise = noise;
    params.step_noise = steps;
    p = (struct pictures){0};
    fum_model *model = open_model(folder);
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    assert_int_equal(fum_model_get_info(model)->width, 16);
    ok(fum_generate(pipe, &params, &err), &err);
    check_pictures(c, &p);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    fum_free(noise);
    fum_free(steps);
}

static void a_vqmodel_draws_from_its_prior(void **state) {
    struct context *c = *state;
    draw(c, c->vectors);
}

static void a_pipeline_folder_draws_the_same(void **state) {
    static const char *const parts[][2] = {
        {"vqvae", ""}, {"unet", "/prior/unet"}, {"scheduler", "/prior/scheduler"}};
    static const char index[] = "{\"_class_name\": \"LDMPipeline\", "
                                "\"vqvae\": [\"diffusers\", \"VQModel\"], "
                                "\"unet\": [\"diffusers\", \"UNet2DModel\"], "
                                "\"scheduler\": [\"diffusers\", \"DDPMScheduler\"]}";
    struct context *c = *state;
    struct fum_error err = {0};
    char folder[1024], from[MAX_PATH + 32], to[MAX_PATH];
    snprintf(folder, sizeof folder, "%s/fum-vectors-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "%s%s", c->vectors, parts[i][1]);
        snprintf(to, sizeof to, "%s/%s", folder, parts[i][0]);
        assert_int_equal(symlink(from, to), 0);
    }
    snprintf(to, sizeof to, "%s/model_index.json", folder);
    ok(fum_file_save(to, index, sizeof index - 1, &err), &err);
    draw(c, folder);
    assert_int_equal(remove(to), 0);
    for (size_t i = 0; i < 3; i++) {
        snprintf(to, sizeof to, "%s/%s", folder, parts[i][0]);
        assert_int_equal(remove(to), 0);
    }
    assert_int_equal(remove(folder), 0);
}

static int set_up(void **state) {
    static struct context c;
    struct fum_error err = {0};
    char path[MAX_PATH + 32];
    *state = &c;
    snprintf(c.vectors, sizeof c.vectors, "%s/vectors", getenv("FUM_TEST_DATA"));
    snprintf(path, sizeof path, "%s/golden.safetensors", c.vectors);
    ok(fum_loader_open(&c.golden, path, &err), &err);
    c.device = open_device(false);
    return 0;
}

static int tear_down(void **state) {
    struct context *c = *state;
    fum_device_destroy(&c->device);
    fum_loader_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_vqmodel_draws_from_its_prior),
                                       cmocka_unit_test(a_pipeline_folder_draws_the_same)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
