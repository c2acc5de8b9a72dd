// SPDX-License-Identifier: MIT
// What crosses the bus in a run: everything before the first step and after the last, nothing
// between; each command buffer recorded once and replayed.

#include "test.h"

#include <fumarole/pipeline.h>

enum { MAX_EVENTS = 20000, CROSS_ATTENTIONS = 6 };

struct event {
    enum fum_trace_kind kind;
    char label[64];
    uint64_t bytes;
};

static struct event events[MAX_EVENTS];
static int num_events;

static void on_event(void *user, const struct fum_trace_event *event) {
    (void)user;
    assert_true(num_events < MAX_EVENTS);
    struct event *e = &events[num_events++];
    e->kind = event->kind;
    e->bytes = event->bytes;
    snprintf(e->label, sizeof e->label, "%s", event->label ? event->label : "");
}

static bool on_image(void *user, const struct fum_image *image) {
    (void)image;
    ++*(int *)user;
    return true;
}

static int count(enum fum_trace_kind kind, const char *label) {
    int n = 0;
    for (int i = 0; i < num_events; i++)
        n += events[i].kind == kind && (!label || !strcmp(events[i].label, label));
    return n;
}

// Uploads and readbacks between the first and the last submission of the step.
static int transfers_inside(void) {
    int first = -1, last = -1, n = 0;
    for (int i = 0; i < num_events; i++) {
        if (events[i].kind != FUM_TRACE_SUBMIT || strcmp(events[i].label, "unet step")) continue;
        if (first < 0) first = i;
        last = i;
    }
    for (int i = first; i >= 0 && i < last; i++)
        n += events[i].kind == FUM_TRACE_UPLOAD || events[i].kind == FUM_TRACE_READBACK;
    return n;
}

struct context {
    fum_device *device;
    fum_model *model;
    fum_pipeline *pipe;
};

static void generate(struct context *c, const char *prompt, const char *sampler, int steps) {
    struct fum_error err = {0};
    int images = 0;
    num_events = 0;
    struct fum_generate_params params = {.prompt = prompt,
                                         .width = 16,
                                         .height = 16,
                                         .steps = steps,
                                         .guidance = 5,
                                         .sampler = sampler,
                                         .on_image = on_image,
                                         .user = &images};
    if (fum_generate(c->pipe, &params, &err)) fail_msg("%s", err.text);
    assert_int_equal(images, 1);
}

static void a_step_reads_back_once(void **state) {
    struct context *c = *state;
    generate(c, "a red ship", "euler_a", 6);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet step"), 6);
    assert_int_equal(count(FUM_TRACE_RECORD, "unet step"), 1);
    assert_int_equal(count(FUM_TRACE_READBACK, "latents"), 1);
    assert_int_equal(count(FUM_TRACE_UPLOAD, "noise"), 1); // of all steps at once
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet run"), 1);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet prompt"), 1);
    assert_int_equal(transfers_inside(), 0);
    // Another prompt of the same shape replays what was recorded; nothing is loaded or compiled
    // again.
    generate(c, "a blue house", "euler_a", 6);
    assert_int_equal(count(FUM_TRACE_RECORD, NULL), 0);
    assert_int_equal(count(FUM_TRACE_KERNEL, NULL), 0);
    assert_int_equal(count(FUM_TRACE_ALLOC, NULL), 0);
    assert_int_equal(count(FUM_TRACE_READBACK, "latents"), 1);
    assert_int_equal(transfers_inside(), 0);
    // A prompt that was seen before is not even encoded again.
    generate(c, "a blue house", "euler_a", 6);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "text_encoder prompt"), 0);
    generate(c, "a red ship", "euler_a", 6);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "text_encoder prompt"), 0);
}

// A prompt that changes with the steps crosses the bus once, too, and so do its parts and weights.
static void schedules_are_read_by_the_step_counter(void **state) {
    struct context *c = *state;
    struct fum_pipeline_stats plain, changing;
    generate(c, "a red ship", "euler", 6);
    fum_pipeline_get_stats(c->pipe, &plain);
    generate(c, "a [red|blue] ship", "euler", 6);
    fum_pipeline_get_stats(c->pipe, &changing);
    // A copy of the keys and values of each cross-attention, and of the row's index.
    int more = changing.unet.dispatches[FUM_STAGE_STEP] - plain.unet.dispatches[FUM_STAGE_STEP];
    print_message("%d dispatches, and %d for prompts that change\n",
                  plain.unet.dispatches[FUM_STAGE_STEP], more);
    assert_true(more <= 1 + 2 * CROSS_ATTENTIONS);
    generate(c, "a [red|blue] ship AND a house :0.5", "euler", 6);
    assert_int_equal(count(FUM_TRACE_RECORD, "unet step"), 1);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet step"), 6);
    assert_int_equal(transfers_inside(), 0);
    // Keys and values of all texts are made before the steps.
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet prompt"), 1);
    // As many other texts at other steps, with another weight, replay what was recorded.
    generate(c, "a [green:yellow:2] ship AND a cat :0.7", "euler", 6);
    assert_int_equal(count(FUM_TRACE_RECORD, "unet step"), 0);
    assert_int_equal(count(FUM_TRACE_KERNEL, NULL), 0);
    assert_int_equal(transfers_inside(), 0);
}

// A sampler that calls the model twice per step replays the same commands.
static void two_evaluations_replay_the_same_commands(void **state) {
    struct context *c = *state;
    generate(c, "a red ship", "heun", 4);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet step"), 7); // the last step has one
    assert_int_equal(count(FUM_TRACE_RECORD, "unet step"), 1);
    assert_int_equal(count(FUM_TRACE_READBACK, "latents"), 1);
    assert_int_equal(transfers_inside(), 0);
}

// What the callbacks of a run have reported.
struct reports {
    int compiles, compiled;            // calls; the largest total
    int pieces, decodes, images;       // calls of on_work inside steps, of decodings; pictures
    int cancel_compile, cancel_decode; // the call that cancels, from 1; 0: none
};

static bool on_compile(void *user, const char *component, int done, int total) {
    struct reports *r = user;
    assert_non_null(component);
    assert_true(done >= 0 && done <= total && total > 0);
    assert_true(done > 0 || r->compiles == 0 || r->compiled > 0);
    if (done == total) r->compiled += total;
    return ++r->compiles != r->cancel_compile;
}

static bool on_work(void *user, enum fum_work work, int image, int done, int total) {
    struct reports *r = user;
    assert_int_equal(image, 0);
    assert_true(done >= 0 && done <= total && total > 0);
    if (work == FUM_WORK_STEP)
        r->pieces++;
    else if (++r->decodes == r->cancel_decode)
        return false;
    return true;
}

static bool on_reported_image(void *user, const struct fum_image *image) {
    (void)image;
    ((struct reports *)user)->images++;
    return true;
}

// A run on a device of its own.
static enum fum_result run_reported(struct context *c, struct reports *r,
                                    struct fum_pipeline_stats stats[2]) {
    struct fum_error err = {0};
    fum_device *device = NULL;
    fum_pipeline *pipe = NULL;
    if (fum_device_create(&device, NULL, &err)) fail_msg("%s", err.text);
    struct fum_pipeline_params params = {.on_compile = on_compile, .user = r};
    if (fum_pipeline_create(&pipe, device, c->model, &params, &err)) fail_msg("%s", err.text);
    struct fum_generate_params g = {.prompt = "a red ship",
                                    .width = 16,
                                    .height = 16,
                                    .steps = 3,
                                    .sampler = "euler",
                                    .on_work = on_work,
                                    .on_image = on_reported_image,
                                    .user = r};
    enum fum_result result = fum_generate(pipe, &g, &err);
    fum_pipeline_get_stats(pipe, &stats[0]);
    if (!result && fum_generate(pipe, &g, &err)) fail_msg("%s", err.text);
    fum_pipeline_get_stats(pipe, &stats[1]);
    fum_pipeline_destroy(&pipe);
    fum_device_destroy(&device);
    return result;
}

// Compiling is reported and timed apart from the steps; a second run compiles nothing.
static void compiling_is_reported_apart(void **state) {
    struct reports r = {0};
    struct fum_pipeline_stats stats[2];
    assert_int_equal(run_reported(*state, &r, stats), FUM_OK);
    assert_int_equal(r.images, 2);
    assert_true(r.compiled > 10 && r.compiles >= 3 * 2); // three parts, start and end
    assert_int_equal(r.pieces, 2 * 3);                   // of one piece each
    assert_int_equal(r.decodes, 2 * 2);                  // start and end
    assert_int_equal(stats[0].kernels, r.compiled);
    assert_true(stats[0].compile_seconds > 0 && stats[0].load_seconds > 0);
    for (int i = 0; i < 2; i++)
        assert_true(stats[i].step_seconds > 0 && stats[i].decode_seconds > 0);
    assert_int_equal(stats[1].kernels, 0);
    assert_true(stats[1].compile_seconds == 0 && stats[1].load_seconds == 0);
    assert_true(stats[0].step_seconds < stats[0].compile_seconds); // no step compiles
}

static void callbacks_cancel(void **state) {
    struct fum_pipeline_stats stats[2];
    for (int call = 1; call <= 3; call++) {
        struct reports r = {.cancel_compile = call};
        assert_int_equal(run_reported(*state, &r, stats), FUM_ERR_CANCELLED);
        assert_int_equal(r.images, 0);
    }
    struct reports start = {.cancel_decode = 1};
    assert_int_equal(run_reported(*state, &start, stats), FUM_ERR_CANCELLED);
    assert_int_equal(start.images, 0);
    struct reports end = {.cancel_decode = 2}; // the picture is complete by then
    assert_int_equal(run_reported(*state, &end, stats), FUM_OK);
    assert_int_equal(end.images, 2);
}

static int set_up(void **state) {
    static struct context c;
    struct fum_error err = {0};
    *state = &c;
    char path[1024];
    snprintf(path, sizeof path, "%s/model-sd1", getenv("FUM_TEST_DATA"));
    if (fum_device_create(&c.device, NULL, &err)) {
        print_message("%s\n", err.text);
        if (getenv("FUM_REQUIRE_DEVICE")) return 1;
        exit(77);
    }
    if (fum_model_open(&c.model, &(struct fum_model_params){.path = path}, &err) ||
        fum_pipeline_create(&c.pipe, c.device, c.model, NULL, &err))
        fail_msg("%s", err.text);
    fum_device_set_trace(c.device, on_event, NULL);
    return 0;
}

static int tear_down(void **state) {
    struct context *c = *state;
    fum_device_set_trace(c->device, NULL, NULL);
    fum_pipeline_destroy(&c->pipe);
    fum_model_destroy(&c->model);
    fum_device_destroy(&c->device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_step_reads_back_once),
                                       cmocka_unit_test(schedules_are_read_by_the_step_counter),
                                       cmocka_unit_test(two_evaluations_replay_the_same_commands),
                                       cmocka_unit_test(compiling_is_reported_apart),
                                       cmocka_unit_test(callbacks_cancel)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
