// SPDX-License-Identifier: MIT
// Devices that fail in the middle of a run: lost, or out of memory, at Vulkan calls spread over a
// whole generate.
#include "picture.h"

enum { PICTURES = 2, SIDE = 16, BYTES = 3 * SIDE * SIDE };

struct pictures {
    int count;
    uint8_t pixels[PICTURES][BYTES];
};

static bool keep_picture(void *user, const struct fum_image *image) {
    struct pictures *p = user;
    assert_int_equal(image->index, p->count);
    memcpy(p->pixels[p->count++], image->pixels, BYTES);
    return true;
}

static enum fum_result generate(fum_pipeline *pipe, struct pictures *pictures,
                                struct fum_error *err) {
    struct fum_generate_params params = {.prompt = "a red ship",
                                         .width = SIDE,
                                         .height = SIDE,
                                         .steps = 2,
                                         .guidance = 2,
                                         .sampler = "euler_a",
                                         .seed = 3,
                                         .count = PICTURES,
                                         .on_image = keep_picture,
                                         .user = pictures};
    *pictures = (struct pictures){0};
    return fum_generate(pipe, &params, err);
}

// An error reads "what it befell: what was being done: what happened": a layer, a kernel or a part
// of the model comes first.
static bool names_operation(const char *text, const char *happened) {
    const char *end = strstr(text, happened), *colon = strstr(text, ": ");
    return end && colon && colon > text && strstr(colon + 2, ": ") && strstr(colon + 2, ": ") < end;
}

struct sweep {
    unsigned without;
    enum fum_injection what;
    bool warm; // fails in a second run of the pipeline, which has everything compiled
    const fum_model *model;
    fum_device *device;
    fum_pipeline *pipe;
    struct pictures right;
    int runs, failures, after[PICTURES]; // failures after so many pictures were handed over
};

static void check_failure(const struct sweep *s, enum fum_result result,
                          const struct fum_error *err, int n) {
    bool lost = s->what == FUM_INJECT_DEVICE_LOST;
    assert_int_equal(result, lost ? FUM_ERR_DEVICE : FUM_ERR_NOMEM);
    assert_int_equal(err->code, result);
    assert_null(strchr(err->text, '\n'));
    if (!names_operation(err->text, lost ? "the device was lost" : "device memory ran out"))
        fail_msg("call %d: \"%s\"", n, err->text);
}

static void begin(struct sweep *s) {
    struct fum_error err = {0};
    struct pictures pictures;
    ok(fum_device_create_without(&s->device, &(struct fum_device_params){0}, s->without, &err),
       &err);
    s->pipe = open_pipeline(s->device, s->model, FUM_PRECISION_F32, NULL);
    if (s->warm) ok(generate(s->pipe, &pictures, &err), &err);
}

static void end(struct sweep *s) {
    fum_pipeline_destroy(&s->pipe);
    if (s->device) assert_int_equal(fum_device_memory_used(s->device), 0);
    fum_device_destroy(&s->device);
}

// A decoder that has no memory for the whole works in bands, whose sums may round the other way.
static void same_picture(const struct sweep *s, const uint8_t *got, const uint8_t *right) {
    int most = s->what == FUM_INJECT_DEVICE_MEMORY ? 1 : 0;
    for (size_t i = 0; i < BYTES; i++)
        if (abs(got[i] - right[i]) > most) fail_msg("byte %zu is %d, not %d", i, got[i], right[i]);
}

// Runs the pipeline with call `n` failing. The error names the place, finished pictures are kept,
// nothing leaks, and the pipeline can run again. Returns false if the run needs no such call.
static bool fail_at(struct sweep *s, int n) {
    struct fum_error err = {0}, again = {0};
    struct pictures pictures;
    bool lost = s->what == FUM_INJECT_DEVICE_LOST;
    if (!s->pipe) begin(s);
    fum_device_inject(s->device, n, s->what);
    enum fum_result result = generate(s->pipe, &pictures, &err);
    fum_device_inject(s->device, -1, s->what);
    s->runs++;
    for (int i = 0; i < pictures.count; i++)
        same_picture(s, pictures.pixels[i], s->right.pixels[i]);
    if (result) {
        assert_true(pictures.count < PICTURES);
        s->failures++;
        s->after[pictures.count]++;
        check_failure(s, result, &err, n);
        // A lost device stays lost. Memory may be there again, and what was half made is made anew.
        assert_int_equal(generate(s->pipe, &pictures, &again), lost ? FUM_ERR_DEVICE : FUM_OK);
        if (!lost) assert_int_equal(pictures.count, s->right.count);
        for (int i = 0; !lost && i < pictures.count; i++)
            same_picture(s, pictures.pixels[i], s->right.pixels[i]);
    }
    if (lost || !s->warm) end(s);
    return result != FUM_OK;
}

// `step` 0: calls spread over a first run, which makes everything; else every so many calls of a
// second one.
static void run_sweep(unsigned without, enum fum_injection what, int step) {
    struct sweep s = {.without = without, .what = what};
    struct fum_error err = {0};
    fum_model *model = open_model(tiny_path());
    s.model = model;
    begin(&s);
    ok(generate(s.pipe, &s.right, &err), &err);
    end(&s);
    s.warm = step > 0;
    int n = 0;
    while (fail_at(&s, n)) n += step ? step : 1 + n / 3;
    end(&s);
    print_message("%s, %s run: %d failures up to call %d, %d of them after the first picture\n",
                  what == FUM_INJECT_DEVICE_LOST ? "device lost" : "out of memory",
                  step ? "second" : "first", s.failures, n, s.after[1]);
    assert_true(s.failures >= (step ? 7 : 15));
    for (int i = 0; i < PICTURES && step; i++) assert_true(s.after[i] > 0);
    fum_model_destroy(&model);
}

static void a_lost_device_is_an_error_at_every_call(void **state) {
    (void)state;
    run_sweep(0, FUM_INJECT_DEVICE_LOST, 0);
    run_sweep(0, FUM_INJECT_DEVICE_LOST, 2);
    run_sweep(FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE, FUM_INJECT_DEVICE_LOST, 31);
}

static void device_memory_may_run_out_at_every_call(void **state) {
    (void)state;
    run_sweep(0, FUM_INJECT_DEVICE_MEMORY, 0);
    run_sweep(0, FUM_INJECT_DEVICE_MEMORY, 1);
    run_sweep(FUM_WITHOUT_UNIFIED, FUM_INJECT_DEVICE_MEMORY, 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_lost_device_is_an_error_at_every_call),
                                       cmocka_unit_test(device_memory_may_run_out_at_every_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
