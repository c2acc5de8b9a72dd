// SPDX-License-Identifier: MIT
// Whole runs against diffusers (tests/golden/samplers.py), with the noise of our own generator.
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "sample/sample.h"

#include <math.h>

enum { COUNT = 48, KEPT = COUNT / 3, MAX_EVALS = 2000, MAX_SIGMAS = 32 };

struct blob {
    char *data;
    size_t bytes, at;
};

static void take(struct blob *b, void *out, size_t bytes) {
    assert_true(bytes <= b->bytes - b->at);
    memcpy(out, b->data + b->at, bytes);
    b->at += bytes;
}

static double model(double x, double t) {
    return (double)(float)tanh(0.7 * x + 0.001 * t);
}

static void draw(struct fum_rng *rng, double *out) {
    float f[COUNT];
    fum_rng_normal(rng, f, COUNT);
    for (int i = 0; i < COUNT; i++) out[i] = f[i];
}

// Runs the program on the host; state[0..COUNT) is the finished sample.
static void run(const struct fum_sample_program *p, double *state) {
    struct fum_rng rng;
    double noise[COUNT], out[COUNT];
    fum_rng_init(&rng, FUM_RNG_CPU, 7);
    draw(&rng, noise);
    memset(state, 0, FUM_SAMPLER_MAX_HISTORY * COUNT * sizeof *state);
    for (int i = 0; i < COUNT; i++)
        state[i] = p->init_scale * noise[i] + p->image_scale * 0.5 * cos(i);
    for (int e = 0; e < p->evals; e++) {
        for (int i = 0; i < COUNT; i++)
            out[i] = model((double)(float)(p->eval[e].c_in * state[i]), (float)p->eval[e].timestep);
        if (p->eval[e].noise_row >= 0) draw(&rng, noise);
        fum_sample_apply(p, e, &(struct fum_sample_values){state, out, noise, COUNT});
    }
}

// The same in f32 from the rows, as the device does it.
static void run_single(const struct fum_sample_program *p, double *sample) {
    struct fum_rng rng;
    float rows[64 * 128], x[FUM_SAMPLER_MAX_HISTORY][COUNT] = {{0}}, noise[COUNT];
    size_t size = fum_sample_row_size(p);
    int history = p->history;
    assert_true((size_t)p->evals * size <= sizeof rows / sizeof *rows);
    fum_sample_coefs(p, 1, rows, size);
    fum_rng_init(&rng, FUM_RNG_CPU, 7);
    fum_rng_normal(&rng, noise, COUNT);
    for (int i = 0; i < COUNT; i++)
        x[0][i] = (float)p->init_scale * noise[i] + (float)p->image_scale * 0.5f * (float)cos(i);
    for (int e = 0; e < p->evals; e++) {
        const float *row = rows + (size_t)e * size;
        if (row[5] >= 0) fum_rng_normal(&rng, noise, COUNT);
        for (int i = 0; i < COUNT; i++) {
            float next[FUM_SAMPLER_MAX_HISTORY], d = row[2] * x[0][i];
            d += row[3] * (float)model((double)(row[0] * x[0][i]), (float)p->eval[e].timestep);
            float raw = d;
            if (row[4] > 0) d = fminf(fmaxf(d, -row[4]), row[4]);
            for (int k = 0; k < history; k++) {
                const float *m = row + 6 + k * (history + 3);
                next[k] = m[history] * d + m[history + 2] * raw +
                          (row[5] >= 0 ? m[history + 1] * noise[i] : 0);
                for (int j = 0; j < history; j++) next[k] += m[j] * x[j][i];
            }
            for (int k = 0; k < history; k++) x[k][i] = next[k];
        }
    }
    for (int i = 0; i < COUNT; i++) sample[i] = x[0][i];
}

// How far timesteps and values may be off. Timesteps of trial points go through logarithms of an
// f32 table, one rounding of which moves them by up to 1e-3. The ancestral sigma_down of dpm2_a
// cancels in f32, and the reference carries that error into the trial point.
static double time_bound(const char *sampler) {
    return sampler && strcmp(sampler, "dpm2_a") == 0 ? 0.02 : 1e-3;
}

static double value_bound(const char *sampler) {
    return sampler && strcmp(sampler, "dpm2_a") == 0 ? 1e-4 : 1e-5;
}

struct tally {
    int runs, bad;
    double worst_rms, worst_time, worst_single;
};

// A run of diffusers: the timesteps of its evaluations and values of its sample.
struct reference {
    const char *text, *sampler;
    uint32_t evals;
    float times[MAX_EVALS], sample[KEPT];
};

static void check(struct tally *tally, const struct fum_sample_program *p,
                  const struct reference *ref) {
    const char *text = ref->text, *sampler = ref->sampler;
    const float *times = ref->times, *want = ref->sample;
    uint32_t evals = ref->evals;
    double state[FUM_SAMPLER_MAX_HISTORY * COUNT], single[COUNT], off = 0, error = 0, power = 0,
                                                                  off_single = 0;
    bool good = (uint32_t)p->evals == evals;
    if (!good) printf("%s: %d evaluations, not %u\n", text, p->evals, evals);
    for (uint32_t e = 0; e < evals && good; e++)
        off = fmax(off, fabs(p->eval[e].timestep - times[e]));
    if (good) {
        run(p, state);
        for (int i = 0; i < KEPT; i++) {
            error += (state[3 * i] - want[i]) * (state[3 * i] - want[i]);
            power += (double)want[i] * want[i];
        }
        double rms = sqrt(error / power);
        bool large = strstr(text, "\"d\":true"); // sigmas so large that f32 cancels
        for (int i = 0; !large && i < KEPT; i++) {
            if (i == 0) run_single(p, single);
            off_single += (single[3 * i] - state[3 * i]) * (single[3 * i] - state[3 * i]);
        }
        tally->worst_single = fmax(tally->worst_single, sqrt(off_single / power));
        bool exact = rms < value_bound(sampler) && off <= time_bound(sampler);
        if (!exact) printf("%s: relative rms %.3g, timesteps off by %.3g\n", text, rms, off);
        good = exact;
        tally->worst_rms = fmax(tally->worst_rms, rms);
        tally->worst_time = fmax(tally->worst_time, off);
    }
    tally->runs++;
    tally->bad += !good;
}

// Reads the noise levels that a case gives, and returns how many there are.
static int read_sigmas(const cJSON *json, double sigmas[MAX_SIGMAS]) {
    const cJSON *given = cJSON_GetObjectItem(json, "g");
    int count = cJSON_GetArraySize(given);
    assert_true(count <= MAX_SIGMAS);
    for (int i = 0; i < count; i++) sigmas[i] = cJSON_GetArrayItem(given, i)->valuedouble;
    return count;
}

static void one_case(struct blob *b, struct tally *tally) {
    struct reference ref;
    uint32_t bytes;
    char text[1024];
    cJSON *json = NULL;
    struct fum_error err = {0};
    struct fum_sample_program *program = NULL;
    take(b, &bytes, 4);
    assert_true(bytes < sizeof text);
    take(b, text, bytes);
    text[bytes] = 0;
    take(b, &ref.evals, 4);
    assert_true(ref.evals <= MAX_EVALS);
    take(b, ref.times, ref.evals * sizeof *ref.times);
    take(b, ref.sample, sizeof ref.sample);
    assert_int_equal(fum_json_parse(&json, text, bytes, "case", &err), FUM_OK);
    struct fum_sample_params params = {
        .sampler = fum_json_string(json, "s", NULL),
        .schedule = fum_json_string(json, "c", NULL),
        .steps = (int)fum_json_number(json, "n", 0),
        .eta = fum_json_number(json, "e", 0),
        .strength = fum_json_number(json, "f", 0),
        .ays = fum_json_bool(json, "x", false) ? fum_ays_sdxl : NULL,
    };
    double sigmas[MAX_SIGMAS];
    params.num_sigmas = read_sigmas(json, sigmas);
    if (params.num_sigmas) params.sigmas = sigmas;
    enum fum_result result =
        fum_sample_config_read(&params.config, cJSON_GetObjectItem(json, "k"), &err);
    if (result == FUM_OK) result = fum_sample_create(&program, &params, &err);
    if (result == FUM_OK) {
        ref.text = text;
        ref.sampler = params.sampler;
        check(tally, program, &ref);
    } else {
        printf("%s: %s\n", text, err.text);
        tally->runs++;
        tally->bad++;
    }
    fum_sample_destroy(&program);
    cJSON_Delete(json);
}

static void runs_match_diffusers(void **state) {
    (void)state;
    const char *given = getenv("FUM_SAMPLER_GOLDEN"), *data = getenv("FUM_TEST_DATA");
    char path[1024];
    snprintf(path, sizeof path, "%s/samplers.bin", data ? data : "tests/data");
    struct blob b = {0};
    struct tally tally = {0};
    assert_int_equal(fum_file_read(given ? given : path, 64 << 20, &b.data, &b.bytes, NULL),
                     FUM_OK);
    while (b.at < b.bytes) one_case(&b, &tally);
    fum_free(b.data);
    print_message("%d runs, %d wrong; worst relative rms %.3g, worst timestep %.3g; in f32 %.3g\n",
                  tally.runs, tally.bad, tally.worst_rms, tally.worst_time, tally.worst_single);
    assert_true(tally.worst_single < 1e-4);
    assert_true(tally.runs > 0);
    assert_int_equal(tally.bad, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_match_diffusers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
