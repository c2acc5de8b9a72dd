// What crosses the bus in a run: everything before the first step and after the last, nothing between; each command
// buffer recorded once and replayed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fumarole/pipeline.h>

enum { MAX_EVENTS = 20000 };

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
    for (int i = 0; i < num_events; i++) n += events[i].kind == kind && (!label || !strcmp(events[i].label, label));
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
    struct fum_generate_params params = {.prompt = prompt, .width = 16, .height = 16, .steps = steps, .guidance = 5,
                                         .sampler = sampler, .on_image = on_image, .user = &images};
    if (fum_generate(c->pipe, &params, &err)) fail_msg("%s", err.text);
    assert_int_equal(images, 1);
}

static void test_one_readback(void **state) {
    struct context *c = *state;
    generate(c, "a red ship", "euler_a", 6);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet step"), 6);
    assert_int_equal(count(FUM_TRACE_RECORD, "unet step"), 1);
    assert_int_equal(count(FUM_TRACE_READBACK, "latents"), 1);
    assert_int_equal(count(FUM_TRACE_UPLOAD, "noise"), 1); // of all steps at once
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet steps"), 1);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet prompt"), 1);
    assert_int_equal(transfers_inside(), 0);
    // Another prompt of the same shape replays what was recorded; nothing is loaded or compiled again.
    generate(c, "a blue house", "euler_a", 6);
    assert_int_equal(count(FUM_TRACE_RECORD, NULL), 0);
    assert_int_equal(count(FUM_TRACE_KERNEL, NULL), 0);
    assert_int_equal(count(FUM_TRACE_ALLOC, NULL), 0);
    assert_int_equal(count(FUM_TRACE_READBACK, "latents"), 1);
    assert_int_equal(transfers_inside(), 0);
    // The same prompt is not even encoded again.
    generate(c, "a blue house", "euler_a", 6);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "text_encoder prompt"), 0);
}

// A sampler that calls the model twice per step replays the same commands.
static void test_two_evaluations(void **state) {
    struct context *c = *state;
    generate(c, "a red ship", "heun", 4);
    assert_int_equal(count(FUM_TRACE_SUBMIT, "unet step"), 7); // the last step has one
    assert_int_equal(count(FUM_TRACE_RECORD, "unet step"), 1);
    assert_int_equal(count(FUM_TRACE_READBACK, "latents"), 1);
    assert_int_equal(transfers_inside(), 0);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_readback), cmocka_unit_test(test_two_evaluations)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
