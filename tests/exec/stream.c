// SPDX-License-Identifier: MIT
// Streaming weights by itself, with a source that can be held up and can fail. Checks what is
// prefetched when, which failure is reported, and that buffers hold the right bytes.

#include "test.h"

#include <pthread.h>
#include <time.h>

#include "gpu/backend.h"
#include "graph/passes.h"
#include "exec/stream.h"

enum { SIDE = 160, MOST = 40, WEIGHT_BYTES = SIDE * SIDE * 4, BUFFER_WEIGHTS = 2 };

// Weight "wN" is N + 1 everywhere until it is rewritten.
struct source {
    float *data[MOST];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int found[MOST]; // how often each was requested
    int fails;       // is not found, once the gate is open; -1: none
    bool gate_open, at_gate;
};

static bool find(void *user, const char *name, struct fum_view *view) {
    struct source *s = user;
    int i = atoi(name + 1);
    pthread_mutex_lock(&s->lock);
    s->found[i]++;
    bool fails = i == s->fails;
    s->at_gate = fails;
    pthread_cond_broadcast(&s->changed);
    while (fails && !s->gate_open) pthread_cond_wait(&s->changed, &s->lock);
    *view = (struct fum_view){.dtype = FUM_F32, .rank = 2, .dim = {SIDE, SIDE}, .data = s->data[i]};
    pthread_mutex_unlock(&s->lock);
    return !fails;
}

static void gate(struct source *s, int fails, bool open) {
    pthread_mutex_lock(&s->lock);
    s->fails = fails;
    s->gate_open = open;
    s->at_gate = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

// Waits until weight i has been requested more than `times` times (or i waits at the gate: times
// -1). False after ten minutes, which end a test that hangs.
static bool was_requested(struct source *s, int i, int times) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 600;
    int late = 0;
    pthread_mutex_lock(&s->lock);
    while ((times < 0 ? !s->at_gate : s->found[i] <= times) && !late)
        late = pthread_cond_timedwait(&s->changed, &s->lock, &end);
    pthread_mutex_unlock(&s->lock);
    return !late;
}

struct subject {
    struct source source;
    fum_device *device;
    fum_graph *graph;
    fum_plan *plan;
    fum_weights *weights;
    fum_stream *stream;
    int count, segments;
};

// A chain of `count` products on a device that stays; twelve weights stay, the others are streamed.
static void open_subject(struct subject *s, fum_device *device, int count) {
    struct fum_error err = {0};
    bool unified = fum_device_get_info(device)->unified_memory;
    *s = (struct subject){.device = device, .count = count, .source.fails = -1};
    pthread_mutex_init(&s->source.lock, NULL);
    pthread_cond_init(&s->source.changed, NULL);
    assert_int_equal(fum_graph_create(&s->graph, FUM_F32, &err), FUM_OK);
    fum_tensor *x =
        fum_graph_input(s->graph, "x", (struct fum_shape){2, {3, SIDE}}, FUM_F32, FUM_STAGE_STEP);
    for (int i = 0; i < count; i++) {
        char name[8];
        snprintf(name, sizeof name, "w%d", i);
        s->source.data[i] = malloc(WEIGHT_BYTES);
        for (int k = 0; k < SIDE * SIDE; k++) s->source.data[i][k] = (float)(i + 1);
        fum_tensor *in[] = {x, fum_graph_weight(s->graph, name, (struct fum_shape){2, {SIDE, SIDE}},
                                                FUM_PACK_LINEAR)};
        x = fum_graph_add(s->graph, "matmul", NULL, (struct fum_inputs){in, 2}, NULL);
    }
    fum_graph_output(s->graph, x, "y");
    assert_int_equal(fum_graph_check(s->graph, &err), FUM_OK);
    fum_pass_prune(s->graph);
    if (fum_plan_create(&s->plan, s->graph, fum_device_get_info(device), NULL, &err))
        fail_msg("%s", err.text);
    struct fum_weights_params params = {
        .device = device, .source = {find, &s->source}, .label = "test"};
    if (fum_weights_create(&s->weights, &params, &err)) fail_msg("%s", err.text);
    // A buffer takes an eighth of the room.
    uint64_t room = 8 * BUFFER_WEIGHTS * WEIGHT_BYTES;
    if (fum_stream_create(&s->stream,
                          &(struct fum_stream_params){device, s->weights, s->graph, s->plan, room},
                          &err))
        fail_msg("%s", err.text);
    struct fum_stream_stats stats;
    fum_stream_get_stats(s->stream, &stats);
    assert_int_equal(stats.buffer_bytes, (unified ? 2 : 3) * BUFFER_WEIGHTS * WEIGHT_BYTES);
    s->segments = stats.stage_segments[FUM_STAGE_STEP];
}

static void close_subject(struct subject *s) {
    fum_stream_destroy(&s->stream);
    fum_weights_destroy(&s->weights);
    fum_plan_destroy(&s->plan);
    fum_graph_destroy(&s->graph);
    for (int i = 0; i < s->count; i++) free(s->source.data[i]);
    pthread_mutex_destroy(&s->source.lock);
    pthread_cond_destroy(&s->source.changed);
}

// The first weight of a segment that is streamed.
static int first_weight(const struct subject *s, int segment) {
    for (int step = 0; step < s->plan->num_steps; step++) {
        const fum_tensor *t = s->plan->steps[step].node->in[1];
        const struct fum_weight weight = fum_tensor_weight(t);
        if (fum_stream_segment(s->stream, step) == segment &&
            !fum_weights_find(s->weights, &weight).buffer)
            return atoi(t->name + 1);
    }
    fail_msg("segment %d has no weight", segment);
    return 0;
}

static void acquire(struct subject *s, int segment) {
    struct fum_error err = {0};
    if (fum_stream_acquire(s->stream, segment, &err)) fail_msg("segment %d: %s", segment, err.text);
}

// Every weight of the segment, streamed or not, is where the stream says.
static void check_bytes(const struct subject *s, int segment) {
    for (int step = 0; step < s->plan->num_steps; step++) {
        const fum_tensor *t = s->plan->steps[step].node->in[1];
        struct fum_binding at = fum_stream_find(s->stream, step, t);
        float *got = malloc(WEIGHT_BYTES), want = s->source.data[atoi(t->name + 1)][0];
        struct fum_error err = {0};
        assert_non_null(at.buffer);
        if (fum_stream_segment(s->stream, step) == segment) {
            if (fum_buffer_read(at.buffer, at.offset, got, WEIGHT_BYTES, &err))
                fail_msg("%s", err.text);
            for (int k = 0; k < SIDE * SIDE; k++)
                if (got[k] != want) fail_msg("%s: element %d is %g", t->name, k, (double)got[k]);
        }
        free(got);
    }
}

// While the device works on a segment the next one is being filled; the first, while it works on
// the last. The same for every number of weights.
static void the_next_segment_is_filled_while_the_device_works(void **state) {
    for (int count = 15; count < MOST; count += 3) {
        struct subject s;
        open_subject(&s, *state, count);
        for (int round = 0; round < 2; round++)
            for (int k = 0; k < s.segments; k++) {
                // Requested when the stream was made, and then once a round.
                int next = (k + 1) % s.segments, weight = first_weight(&s, next),
                    times = 1 + round + (next == 0);
                acquire(&s, k);
                // Two segments would stay in the two buffers.
                if (s.segments > 2 && !was_requested(&s.source, weight, times))
                    fail_msg("%d weights, round %d: segment %d of %d waits for segment %d", count,
                             round, next, s.segments, k);
                check_bytes(&s, k);
                fum_stream_release(s.stream, k, 0);
            }
        fum_stream_destroy(&s.stream);
        close_subject(&s);
    }
}

static void *open_later(void *user) {
    struct subject *s = user;
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    gate(&s->source, s->source.fails, true);
    return NULL;
}

// A segment that is prefetched in vain fails while another one is waited for. Only acquiring that
// segment reports the failure.
static void only_the_segment_that_failed_is_reported(void **state) {
    struct subject s;
    struct fum_error err = {0};
    pthread_t opener;
    char name[8];
    open_subject(&s, *state, 30);
    assert_true(s.segments > 3);
    int weight = first_weight(&s, 1);
    snprintf(name, sizeof name, " w%d ", weight);
    gate(&s.source, weight, false);
    acquire(&s, 0);
    fum_stream_release(s.stream, 0, 0);
    assert_true(was_requested(&s.source, weight, -1)); // the worker is at it
    assert_int_equal(pthread_create(&opener, NULL, open_later, &s), 0);
    acquire(&s, 2);
    check_bytes(&s, 2);
    fum_stream_release(s.stream, 2, 0);
    pthread_join(opener, NULL);
    assert_int_equal(fum_stream_acquire(s.stream, 1, &err), FUM_ERR_FORMAT);
    if (!strstr(err.text, name)) fail_msg("%s", err.text);
    gate(&s.source, -1, true);
    acquire(&s, 1); // and it is no lasting failure
    check_bytes(&s, 1);
    fum_stream_release(s.stream, 1, 0);
    close_subject(&s);
}

// Rewritten weights are read again, streamed or not, also where the worker has fetched them before.
static void rewritten_weights_are_read_again(void **state) {
    enum { COUNT = 30 };
    struct subject s;
    struct fum_error err = {0};
    char names[COUNT][8];
    const char *list[COUNT];
    float *old[COUNT];
    open_subject(&s, *state, COUNT);
    assert_true(s.segments > 3);
    acquire(&s, 0);
    fum_stream_release(s.stream, 0, 0);
    assert_true(was_requested(&s.source, first_weight(&s, 1), 1)); // the worker is at it
    pthread_mutex_lock(&s.source.lock);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "w%d", i);
        list[i] = names[i];
        old[i] = s.source.data[i];
        s.source.data[i] = malloc(WEIGHT_BYTES);
        for (int k = 0; k < SIDE * SIDE; k++) s.source.data[i][k] = (float)(i + 101);
    }
    pthread_mutex_unlock(&s.source.lock);
    if (fum_weights_rewrite(s.weights, list, COUNT, &err)) fail_msg("%s", err.text);
    for (int round = 0; round < 2; round++)
        for (int k = 0; k < s.segments; k++) {
            acquire(&s, k);
            check_bytes(&s, k);
            fum_stream_release(s.stream, k, 0);
        }
    close_subject(&s);
    for (int i = 0; i < COUNT; i++) free(old[i]);
}

// Ends while the worker is filling a buffer.
static void streams_end_while_the_worker_fills(void **state) {
    struct subject s;
    pthread_t opener;
    open_subject(&s, *state, 30);
    int weight = first_weight(&s, 1);
    gate(&s.source, weight, false);
    acquire(&s, 0);
    assert_true(was_requested(&s.source, weight, -1));
    assert_int_equal(pthread_create(&opener, NULL, open_later, &s), 0);
    fum_stream_release(s.stream, 0, 0);
    fum_stream_destroy(&s.stream);
    pthread_join(opener, NULL);
    close_subject(&s);
}

int main(void) {
    static const unsigned ways[] = {0, FUM_WITHOUT_UNIFIED};
    int failed = 0;
    for (int way = 0; way < 2; way++) {
        struct fum_error err = {0};
        fum_device *device = NULL;
        if (fum_device_create_without(&device, &(struct fum_device_params){.validate = true},
                                      ways[way], &err)) {
            fprintf(stderr, "%s\n", err.text);
            exit(getenv("FUM_REQUIRE_DEVICE") ? 1 : 77);
        }
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_prestate(the_next_segment_is_filled_while_the_device_works, device),
            cmocka_unit_test_prestate(only_the_segment_that_failed_is_reported, device),
            cmocka_unit_test_prestate(rewritten_weights_are_read_again, device),
            cmocka_unit_test_prestate(streams_end_while_the_worker_fills, device)};
        failed += cmocka_run_group_tests_name(way ? "through the host's memory" : "in place", tests,
                                              NULL, NULL);
        failed +=
            fum_device_memory_used(device) != 0 || fum_device_validation_messages(device) != 0;
        fum_device_destroy(&device);
    }
    return failed;
}
