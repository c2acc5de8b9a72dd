// SPDX-License-Identifier: MIT
// What the goldens do not reach: names, refusals, settings files, device rows, memory running out.
#include "test.h"

#include "base/alloc.h"
#include "base/json.h"
#include "sample/builder.h"
#include "sample/runge_kutta.h"

#include <math.h>

static struct fum_sample_params sd(const char *sampler, const char *schedule, int steps) {
    return (struct fum_sample_params){
        .sampler = sampler, .schedule = schedule, .steps = steps, .config = fum_sample_config_sd()};
}

static enum fum_result create(struct fum_sample_params params, char *text) {
    struct fum_sample_program *p = NULL;
    struct fum_error err = {0};
    enum fum_result result = fum_sample_create(&p, &params, &err);
    assert_true((result == FUM_OK) == (p != NULL));
    assert_true(result == err.code);
    if (text) strcpy(text, err.text);
    fum_sample_destroy(&p);
    assert_null(p);
    return result;
}

static void names_are_listed_once_and_found(void **state) {
    (void)state;
    // A name that is listed twice is found at its first place only.
    for (size_t i = 0; fum_sampler_name(i); i++)
        assert_string_equal(fum_sampler_find(fum_sampler_name(i))->label, fum_sampler_label(i));
    for (size_t i = 0; fum_schedule_name(i); i++)
        assert_int_equal(fum_schedule_find(fum_schedule_name(i)), i);
    assert_null(fum_sampler_find("eulr"));
    assert_true(fum_sampler_accepts("euler_a", "karras"));
    assert_true(fum_sampler_accepts("ddim", "discrete"));
    assert_false(fum_sampler_accepts("ddim", "karras"));
    assert_false(fum_sampler_accepts("euler", "carras"));
}

// True if the sampler draws from models in continuous time alone.
static bool is_continuous(const char *name) {
    return fum_sampler_find(name)->space == FUM_SPACE_CONTINUOUS;
}

static bool is_among(const char *name, const char *const *names) {
    for (; *names; names++)
        if (strcmp(*names, name) == 0) return true;
    return false;
}

static bool is_sampler_label(const char *label) {
    for (size_t i = 0; fum_sampler_name(i); i++)
        if (!strcmp(fum_sampler_label(i), label)) return true;
    return false;
}

// The labels are names that A1111 looks samplers and schedules up by, or its fork Forge where A1111
// has none.
static void labels_are_those_of_a1111(void **state) {
    (void)state;
    static const char *const sampler_labels[] = {
        "DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 2S a",    "DPM++ 3M SDE",
        "Euler a",  "Euler",     "LMS",          "Heun",          "DPM2",
        "DPM2 a",   "DDIM",      "PLMS",         "UniPC",         "LCM",
        "DDPM",     "DEIS",      "IPNDM",        "IPNDM_V",       "DPM++ 2M SDE Heun",
        "TCD",      "ER SDE",    "SA Solver",    "Res Multistep", "Gradient Estimation",
        NULL};
    static const char *const schedule_labels[] = {
        "Automatic",    "Uniform",          "Karras",
        "Exponential",  "SGM Uniform",      "Simple",
        "KL Optimal",   "Align Your Steps", "Beta",
        "DDIM",         "Normal",           "Linear Quadratic",
        "Bong Tangent", "Polyexponential",  NULL};
    for (size_t i = 0; sampler_labels[i]; i++) assert_true(is_sampler_label(sampler_labels[i]));
    for (size_t s = 0; fum_sampler_name(s); s++) {
        for (size_t k = 0; fum_schedule_name(k); k++) {
            struct fum_sample_params params = sd(fum_sampler_name(s), fum_schedule_name(k), 5);
            struct fum_sample_program *p = NULL;
            if (!fum_sampler_accepts(params.sampler, params.schedule)) continue;
            assert_int_equal(fum_sample_create(&p, &params, NULL), FUM_OK);
            assert_string_equal(p->sampler_label, fum_sampler_label(s));
            assert_true(is_among(p->schedule_label, schedule_labels));
            fum_sample_destroy(&p);
        }
    }
}

// Every sampler on every schedule that it accepts, at awkward step counts.
static void every_combination_is_finite_or_refused(void **state) {
    (void)state;
    static const int counts[] = {1, 2, 3, 4, 10, 25, 50, 333};
    for (size_t s = 0; fum_sampler_name(s); s++) {
        for (size_t k = 0; fum_schedule_name(k); k++) {
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                const char *sampler = fum_sampler_name(s), *schedule = fum_schedule_name(k);
                enum fum_result result = create(sd(sampler, schedule, counts[c]), NULL);
                bool distilled = strcmp(sampler, "lcm") == 0 || strcmp(sampler, "tcd") == 0;
                if (!fum_sampler_accepts(sampler, schedule))
                    assert_int_equal(result, FUM_ERR_UNSUPPORTED);
                else
                    assert_int_equal(result, distilled && counts[c] > 50 ? FUM_ERR_ARG : FUM_OK);
            }
        }
    }
}

static void bad_requests_say_what_is_wrong(void **state) {
    (void)state;
    char text[512];
    assert_int_equal(create(sd("eulr", NULL, 5), text), FUM_ERR_ARG);
    assert_non_null(strstr(text, "eulr"));
    assert_int_equal(create(sd("euler", "carras", 5), text), FUM_ERR_ARG);
    assert_non_null(strstr(text, "carras"));
    assert_int_equal(create(sd("euler", NULL, 0), text), FUM_ERR_ARG);
    assert_int_equal(create(sd("euler", NULL, 1001), text), FUM_ERR_ARG);
    // steps_offset 1 passes the end
    assert_int_equal(create(sd("ddim", NULL, 1000), text), FUM_ERR_ARG);
    assert_non_null(strstr(text, "steps_offset"));
    struct fum_sample_params p = sd("ddim", NULL, 1);
    p.config.num_train_timesteps = 1; // steps_offset 1 leaves no step inside: the model is at fault
    assert_int_equal(create(p, text), FUM_ERR_FORMAT);
    assert_non_null(strstr(text, "steps_offset is 1, but must be below its num_train_timesteps 1"));
    p = sd("lcm", NULL, 1);
    // fewer than the 50 that a latent consistency model has by default
    p.config.num_train_timesteps = 20;
    assert_int_equal(create(p, text), FUM_ERR_FORMAT);
    assert_non_null(strstr(
        text, "original_inference_steps is 50, but must be 1 to its num_train_timesteps 20"));
    p = sd("ddim", NULL, 5);
    p.eta = 1.5;
    assert_int_equal(create(p, text), FUM_ERR_ARG);
    assert_non_null(strstr(text, "eta 1.5"));
    assert_null(strstr(text, "strength"));
    p.eta = (double)NAN;
    assert_int_equal(create(p, text), FUM_ERR_ARG);
    assert_int_equal(create(sd("dpm++2m", NULL, 1000), text), FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(text, "share a noise level")); // not the fault of a zero terminal SNR
    assert_null(strstr(text, "SNR"));
    p = sd("euler", NULL, 5);
    p.strength = 0.1;
    assert_int_equal(create(p, text), FUM_ERR_ARG);
    assert_non_null(strstr(text, "strength"));
    p = sd("ddim", NULL, 5);
    p.config.rescale_betas_zero_snr = FUM_SWITCH_ON;
    p.config.timestep_spacing = FUM_SPACING_TRAILING;
    assert_int_equal(create(p, text), FUM_ERR_UNSUPPORTED); // epsilon at zero terminal SNR
    assert_non_null(strstr(text, "v prediction"));
    p.config.prediction_type = FUM_PREDICT_V;
    assert_int_equal(create(p, text), FUM_OK);
    p = sd("pndm", NULL, 5);
    p.config.prediction_type = FUM_PREDICT_SAMPLE;
    assert_int_equal(create(p, text), FUM_ERR_UNSUPPORTED);
    p = sd(NULL, NULL, 5);
    strcpy(p.config.class_name, "FlowMatchEulerDiscreteScheduler");
    assert_int_equal(create(p, text), FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(text, "FlowMatch"));
}

static enum fum_result read_config(struct fum_sample_config *c, const char *text,
                                   struct fum_error *err) {
    cJSON *json = NULL;
    enum fum_result result = fum_json_parse(&json, text, strlen(text), "test", err);
    if (result == FUM_OK) result = fum_sample_config_read(c, json, err);
    cJSON_Delete(json);
    return result;
}

static void settings_files_are_read(void **state) {
    (void)state;
    struct fum_sample_config c;
    struct fum_error err = {0};
    assert_int_equal(
        read_config(&c,
                    "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"solver_order\": 3,"
                    "\"algorithm_type\": \"sde-dpmsolver++\", \"lambda_min_clipped\": -Infinity,"
                    "\"trained_betas\": null, \"thresholding\": false, \"steps_offset\": 1,"
                    "\"use_karras_sigmas\": true, \"variance_type\": null,"
                    "\"_use_default_values\": [\"steps_offset\"], \"unknown\": [1, 2]}",
                    &err),
        FUM_OK);
    assert_int_equal(c.solver_order, 3);
    assert_int_equal(c.steps_offset, -1); // was a default of the saving class: unset here
    assert_true(isnan(c.beta_start));
    struct fum_sample_program *p = NULL;
    struct fum_sample_params params = {.steps = 8, .config = c};
    assert_int_equal(fum_sample_create(&p, &params, NULL), FUM_OK);
    assert_string_equal(p->sampler, "dpm++3m_sde");
    assert_string_equal(p->schedule, "karras");
    assert_int_equal(p->noise_rows, 8);
    fum_sample_destroy(&p);
    // another class: the shared settings carry over, its own defaults otherwise
    params.sampler = "euler_a";
    assert_int_equal(fum_sample_create(&p, &params, NULL), FUM_OK);
    assert_string_equal(p->schedule, "discrete"); // that class has no karras switch
    fum_sample_destroy(&p);

    static const char *const bad[] = {
        "[]",
        "{\"trained_betas\": [0.1]}",
        "{\"beta_schedule\": \"cubic\"}",
        "{\"num_train_timesteps\": -5}",
        "{\"num_train_timesteps\": 1e9}",
        "{\"num_train_timesteps\": 2.5}",
        "{\"beta_start\": \"x\"}",
        "{\"clip_sample\": 1}",
        "{\"prediction_type\": 3}",
        "{\"timestep_type\": \"continuous\", \"prediction_type\": \"v_prediction\"}",
        "{\"sigma_schedule\": 3}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_not_equal(read_config(&c, bad[i], &err), FUM_OK);
    assert_int_equal(read_config(&c, "{}", &err), FUM_OK);
    assert_int_equal(read_config(&c, "{\"timestep_type\": \"continuous\"}", &err), FUM_OK);
    assert_int_equal(read_config(&c, "{}", &err), FUM_OK);
    params = (struct fum_sample_params){.steps = 4, .config = c};
    params.config.beta_end = 3;
    assert_int_equal(create(params, NULL), FUM_ERR_FORMAT);
    params.config.beta_end = NAN;
    params.config.num_train_timesteps = 0; // unset
    assert_int_equal(create(params, NULL), FUM_OK);
}

static struct fum_sample_program *make(struct fum_sample_params params) {
    struct fum_sample_program *p = NULL;
    struct fum_error err = {0};
    if (fum_sample_create(&p, &params, &err)) fail_msg("%s", err.text);
    return p;
}

// A setting of the solver that no sampler here follows is noted, so that the picture can still be
// drawn.
static void settings_of_the_solver_are_noted(void **state) {
    (void)state;
    struct fum_sample_config c;
    struct fum_error err = {0};
    assert_int_equal(
        read_config(&c,
                    "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"thresholding\": true,"
                    "\"sample_max_value\": 2, \"lambda_min_clipped\": -5.1, "
                    "\"variance_type\": \"fixed_large_log\","
                    "\"algorithm_type\": \"dpmsolver\", \"interpolation_type\": \"log_linear\"}",
                    &err),
        FUM_OK);
    assert_string_equal(
        c.ignored, "lambda_min_clipped, variance_type fixed_large_log, algorithm_type dpmsolver, "
                   "interpolation_type log_linear");
    struct fum_sample_program *p = make((struct fum_sample_params){.steps = 8, .config = c});
    assert_string_equal(p->sampler, "dpm++2m");
    assert_float_equal(p->threshold_max, 2, 0);
    assert_float_equal(p->threshold_ratio, 0.995, 0);
    fum_sample_destroy(&p);
    assert_int_equal(
        read_config(&c, "{\"thresholding\": false, \"algorithm_type\": \"deis\"}", &err), FUM_OK);
    assert_string_equal(c.ignored, "");
}

// A class without a counterpart has no sampler of its own, and its noise schedule serves the one
// that is named.
static void classes_stand_for_samplers(void **state) {
    (void)state;
    static const struct {
        const char *class_name, *sampler;
    } classes[] = {
        {"", "euler"},
        {"DDIMScheduler", "ddim"},
        {"KDPM2AncestralDiscreteScheduler", "dpm2_a"},
        {"DPMSolverMultistepScheduler", "dpm++2m"},
        {"EDMEulerScheduler", "euler"},
        {"EDMDPMSolverMultistepScheduler", "dpm++2m"},
        {"DEISMultistepScheduler", "deis"},
        {"SASolverScheduler", "sa_solver"},
        {"DPMSolverSinglestepScheduler", NULL},
        {"TCDScheduler", "tcd"},
        {"IPNDMScheduler", NULL},
        {"FlowMatchEulerDiscreteScheduler", NULL},
    };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        struct fum_sample_params params = sd("dpm++2m", "karras", 8);
        snprintf(params.config.class_name, sizeof params.config.class_name, "%s",
                 classes[i].class_name);
        const char *own = fum_sample_config_sampler(&params.config);
        if (classes[i].sampler)
            assert_string_equal(own, classes[i].sampler);
        else
            assert_null(own);
        assert_int_equal(create(params, NULL), FUM_OK);
    }
}

// The orders of a multistep solver that no name stands for come from the settings.
static void settings_keep_their_order(void **state) {
    (void)state;
    struct fum_sample_params params = sd(NULL, NULL, 20);
    strcpy(params.config.class_name, "DPMSolverMultistepScheduler");
    for (int order = 1; order <= 3; order++) {
        params.config.solver_order = order;
        struct fum_sample_program *p = make(params);
        assert_string_equal(p->sampler, "dpm++2m");
        assert_int_equal(p->history, order);
        fum_sample_destroy(&p);
    }
}

static void assert_same_update(struct fum_sample_params a, struct fum_sample_params b) {
    struct fum_sample_program *p = make(a), *q = make(b);
    assert_int_equal(p->evals, q->evals);
    assert_int_equal(p->history, q->history);
    assert_int_equal(p->noise_rows, 0);
    assert_memory_equal(p->eval, q->eval, (size_t)p->evals * sizeof *p->eval);
    assert_true(p->init_scale == q->init_scale);
    fum_sample_destroy(&p);
    fum_sample_destroy(&q);
}

// Without noise a stochastic sampler is its deterministic form, to the bit.
static void eta_0_is_the_deterministic_sampler(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"euler_a", "euler"}, {"dpm2_a", "dpm2"}, {"dpm++2m_sde", "dpm++2m"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct fum_sample_params none = sd(pairs[i][0], NULL, 12);
        none.eta = -1;
        assert_same_update(none, sd(pairs[i][1], NULL, 12));
    }
    struct fum_sample_params third = sd("dpm++3m_sde", NULL, 20), settings = sd(NULL, NULL, 20);
    third.eta = -1;
    strcpy(settings.config.class_name, "DPMSolverMultistepScheduler");
    settings.config.solver_order = 3;
    assert_same_update(third, settings);
}

// The eta in force is the sampler's own unless one is given; a sampler says whether it uses any.
static void eta_has_the_samplers_own_default(void **state) {
    (void)state;
    for (size_t s = 0; fum_sampler_name(s); s++) {
        const struct fum_sampler *sampler = fum_sampler_find(fum_sampler_name(s));
        struct fum_sample_params params = sd(sampler->name, NULL, 6);
        if (is_continuous(sampler->name)) continue;
        struct fum_sample_program *p = make(params), *q = NULL;
        assert_true(p->eta == sampler->eta && p->default_eta == sampler->eta);
        assert_true(p->takes_eta == sampler->takes_eta);
        params.eta = 0.5;
        q = make(params);
        bool same = p->evals == q->evals &&
                    memcmp(p->eval, q->eval, (size_t)p->evals * sizeof *p->eval) == 0;
        assert_true(same == !sampler->takes_eta);
        fum_sample_destroy(&p);
        fum_sample_destroy(&q);
    }
}

// The exact denoised value of data with mean 0 and deviation 0.5: an EDM model that is right
// everywhere.
static double solve_edm(const char *sampler, const char *schedule) {
    struct fum_sample_params params = {.sampler = sampler,
                                       .schedule = schedule,
                                       .steps = 300,
                                       .config = fum_sample_config_unset()};
    strcpy(params.config.class_name, "EDMEulerScheduler");
    params.config.sigma_data = 0.5;
    struct fum_sample_program *p = make(params);
    double state[FUM_SAMPLER_MAX_HISTORY] = {p->init_scale * 0.7};
    for (int e = 0; e < p->evals; e++)
        fum_sample_apply( // F = 0: D = c_skip x
            p, e, &(struct fum_sample_values){state, &(double){0}, NULL, 1});
    double sample = state[0];
    fum_sample_destroy(&p);
    return sample;
}

// Every sampler without noise, on every schedule from sigma_max to sigma_min, ends at the solution
// of the same equation.
static void edm_levels_serve_every_sampler(void **state) {
    (void)state;
    static const char *const names[] = {"euler", "heun", "lms", "dpm2", "dpm++2m", "unipc", "ddim"};
    static const char *const curves[] = {NULL,          "discrete",    "karras",
                                         "exponential", "sgm_uniform", "simple"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (size_t k = 0; k < sizeof curves / sizeof *curves; k++) {
            if (curves[k] && !fum_sampler_accepts(names[i], curves[k])) continue;
            double sample = solve_edm(names[i], curves[k]);
            if (fabs(sample - 0.35) > 0.02)
                fail_msg("%s on %s: %g", names[i], curves[k] ? curves[k] : "own", sample);
        }
    }
    char text[512];
    struct fum_sample_params params = sd("pndm", NULL, 5);
    strcpy(params.config.class_name, "EDMEulerScheduler");
    // Adams-Bashforth on even timesteps only
    assert_int_equal(create(params, text), FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(text, "EDM"));
    params = sd("ddpm", NULL, 5);
    strcpy(params.config.class_name, "EDMEulerScheduler");
    struct fum_sample_program *p = make(params), *q = NULL;
    params.sampler = "euler_a";
    q = make(params); // the same noise
    assert_memory_equal(p->eval, q->eval, (size_t)p->evals * sizeof *p->eval);
    fum_sample_destroy(&p);
    fum_sample_destroy(&q);
    params = sd(NULL, NULL, 5);
    strcpy(params.config.class_name, "EDMEulerScheduler");
    params.config.sigma_min = 90;
    assert_int_equal(create(params, text), FUM_ERR_FORMAT);
    assert_non_null(strstr(text, "sigma_min 90"));
}

// A device that does what the header says with a row gets what fum_sample_apply gets.
static void rows_hold_the_update(void **state) {
    (void)state;
    struct fum_sample_program *p = NULL;
    struct fum_sample_params params = sd("dpm++3m_sde", "karras", 6);
    assert_int_equal(fum_sample_create(&p, &params, NULL), FUM_OK);
    size_t size = fum_sample_row_size(p), stride = size + 3;
    int history = p->history;
    assert_int_equal(size, 6 + 3 * 6);
    float rows[6 * 32];
    fum_sample_coefs(p, 7.5, rows, stride);
    double x[FUM_SAMPLER_MAX_HISTORY] = {1.5}, y[FUM_SAMPLER_MAX_HISTORY] = {1.5};
    for (int e = 0; e < p->evals; e++) {
        const float *row = rows + (size_t)e * stride;
        double out = 0.3 - 0.1 * e, noise = 0.2 * e - 0.4, next[FUM_SAMPLER_MAX_HISTORY];
        assert_true(row[0] == (float)p->eval[e].c_in && row[1] == 7.5f && row[4] == 0);
        assert_true(row[5] == (float)p->eval[e].noise_row && row[size] == 0);
        double d = row[2] * y[0] + row[3] * out;
        for (int k = 0; k < history; k++) {
            const float *m = row + 6 + k * (history + 3);
            next[k] = (m[history] + m[history + 2]) * d + m[history + 1] * noise;
            for (int j = 0; j < history; j++) next[k] += m[j] * y[j];
        }
        memcpy(y, next, sizeof *y * (size_t)history);
        fum_sample_apply(p, e, &(struct fum_sample_values){x, &out, &noise, 1});
        for (int k = 0; k < history; k++) assert_true(fabs(x[k] - y[k]) < 1e-5 * (1 + fabs(x[k])));
    }
    fum_sample_destroy(&p);
}

// The first evaluation reads history[0] only, so that the others may hold anything; steps are
// numbered without gaps.
static void programs_start_from_history_0(void **state) {
    (void)state;
    for (size_t s = 0; fum_sampler_name(s); s++) {
        struct fum_sample_program *p = NULL;
        struct fum_sample_params params = sd(fum_sampler_name(s), NULL, 9);
        if (is_continuous(params.sampler))
            snprintf(params.config.class_name, sizeof params.config.class_name,
                     "ScoreSdeVeScheduler");
        if (!strcmp(params.sampler, "ode")) continue; // one evaluation, whatever the steps
        assert_int_equal(fum_sample_create(&p, &params, NULL), FUM_OK);
        int ends = 0, rows = 0;
        for (int e = 0; e < p->evals; e++) {
            assert_int_equal(p->eval[e].step, ends);
            ends += p->eval[e].step_end;
            if (p->eval[e].noise_row >= 0) assert_int_equal(p->eval[e].noise_row, rows++);
        }
        assert_int_equal(ends, p->steps);
        assert_int_equal(p->steps, 9);
        assert_int_equal(rows, p->noise_rows);
        for (int k = 0; k < p->history; k++) {
            for (int j = 1; j < FUM_SAMPLER_MAX_HISTORY; j++) assert_true(p->eval[0].m[k][j] == 0);
        }
        fum_sample_destroy(&p);
    }
}

static struct fum_sample_params score(const char *class_name, const char *sampler, int steps) {
    struct fum_sample_params params = {
        .sampler = sampler, .steps = steps, .config = fum_sample_config_unset()};
    strcpy(params.config.class_name, class_name);
    return params;
}

static void continuous_time_is_of_score_models_alone(void **state) {
    (void)state;
    static const char *const names[] = {"sde", "pc", "ode"};
    char text[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(create(sd(names[i], NULL, 5), text), FUM_ERR_UNSUPPORTED);
        assert_non_null(strstr(text, "this model has timesteps"));
        struct fum_sample_params params = score("ScoreSdeVpScheduler", names[i], 5000);
        assert_int_equal(create(params, text), FUM_OK);
        params.schedule = "discrete";
        assert_int_equal(create(params, text), FUM_ERR_UNSUPPORTED);
        assert_non_null(strstr(text, "has no schedule"));
    }
    assert_int_equal(create(score("ScoreSdeVeScheduler", "ddim", 5), text), FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(text, "use sampler sde, pc or ode"));
    struct fum_sample_params params = score("ScoreSdeVeScheduler", NULL, 5);
    params.config.sigma_max = 0.001;
    assert_int_equal(create(params, text), FUM_ERR_FORMAT);
    assert_non_null(strstr(text, "out of range"));
}

// The noise of a step's corrections is drawn before that of its prediction, and the last prediction
// needs none.
static void corrections_come_first(void **state) {
    (void)state;
    struct fum_sample_params params = score("ScoreSdeVeScheduler", NULL, 3);
    params.config.correct_steps = 2;
    struct fum_sample_program *p = make(params);
    assert_string_equal(p->sampler, "pc");
    assert_int_equal(p->evals, 9);
    assert_int_equal(p->noise_rows, 8);
    for (int e = 0; e < p->evals; e++) {
        assert_int_equal(p->eval[e].step, e / 3);
        assert_int_equal(p->eval[e].noise_row, e < 8 ? e : -1);
        assert_true((p->eval[e].correction > 0) == (e % 3 < 2));
    }
    fum_sample_destroy(&p);
}

struct equation {
    double (*force)(double t, const double *y); // of y[1]; NULL: a stiff equation of y[0] alone
    int calls;
};

static double widening_force(double t, const double *y) {
    return 0.1 * t * y[1] - y[0];
}

static enum fum_result rate(void *user, double t, const double *y, double *slope,
                            struct fum_error *err) {
    struct equation *equation = user;
    (void)err;
    equation->calls++;
    slope[0] = equation->force ? y[1] : -50 * (y[0] - cos(t));
    if (equation->force) slope[1] = equation->force(t, y);
    return FUM_OK;
}

// Steps, calls and results are those of SciPy's solve_ivp (RK45).
static void equations_are_solved_as_by_scipy(void **state) {
    (void)state;
    const struct {
        double (*force)(double t, const double *y);
        double from, to, tolerance, y[2];
        int steps, evaluations;
    } cases[] = {
        {widening_force, 1, 0.001, 1e-05, {0.70917740442493171, 0.37633181559451323}, 4, 26},
        {widening_force, 0, 9, 1e-08, {-6.40270117522501, -2.9229250090853971}, 84, 506},
        {NULL, 0, 2, 1e-05, {-0.39779753848971788}, 61, 374},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct equation equation = {.force = cases[i].force};
        const struct fum_ode ode = {.count = cases[i].force ? 2 : 1,
                                    .rate = rate,
                                    .user = &equation,
                                    .from = cases[i].from,
                                    .to = cases[i].to,
                                    .tolerance = cases[i].tolerance};
        struct fum_ode_cost cost;
        double y[2] = {cases[i].force ? 0.7 : 0, -0.4};
        assert_int_equal(fum_ode_solve(&ode, y, &cost, NULL), FUM_OK);
        assert_int_equal(cost.steps, cases[i].steps);
        assert_int_equal(cost.evaluations, cases[i].evaluations);
        assert_int_equal(equation.calls, cost.evaluations);
        for (size_t k = 0; k < ode.count; k++) assert_true(fabs(y[k] - cases[i].y[k]) < 1e-12);
    }
}

static void no_memory_is_an_error(void **state) {
    (void)state;
    int failures = 0;
    for (long n = 0; n < 20; n++) {
        fum_alloc_fail_after(n);
        enum fum_result result = create(sd("unipc", "karras", 5), NULL);
        fum_alloc_fail_after(-1);
        if (result == FUM_OK) break;
        assert_int_equal(result, FUM_ERR_NOMEM);
        failures++;
    }
    assert_in_range(failures, 5, 19);
}

static void beta_quantiles_match_known_values(void **state) {
    (void)state;
    assert_true(fum_beta_quantile(0, 0.6, 0.6) == 0 && fum_beta_quantile(1, 0.6, 0.6) == 1);
    assert_true(fabs(fum_beta_quantile(0.5, 0.6, 0.6) - 0.5) < 1e-14);
    assert_true(fabs(fum_beta_quantile(0.3, 1, 1) - 0.3) < 1e-14);
    assert_true(fabs(fum_beta_quantile(0.25, 0.5, 0.5) - pow(sin(0.25 * acos(0.0)), 2)) <
                1e-14); // arcsine law
}

// Given sigmas that are those of a schedule make the same program.
static void given_sigmas_are_visited(void **state) {
    (void)state;
    for (int space = 0; space < 2; space++) {
        struct fum_sample_params params = sd(space ? "dpm++2m" : "euler", "kl_optimal", 6);
        struct fum_sample_program *wanted = make(params);
        params.schedule = NULL;
        params.steps = 0;
        params.sigmas = wanted->sigmas;
        params.num_sigmas = wanted->sigma_count;
        struct fum_sample_program *p = make(params);
        assert_int_equal(p->steps, 6);
        assert_string_equal(p->schedule_label, "Automatic");
        for (int e = 0; e < p->evals; e++) {
            assert_float_equal(p->eval[e].timestep, wanted->eval[e].timestep, 1e-3);
            assert_memory_equal(p->eval[e].m, wanted->eval[e].m, sizeof p->eval[e].m);
        }
        fum_sample_destroy(&p);
        fum_sample_destroy(&wanted);
    }
}

// A step to sigma 0 takes the prediction itself, whatever the order of the sampler.
static void a_step_to_sigma_0_takes_the_prediction(void **state) {
    (void)state;
    enum { STEPS = 18 };
    double sigmas[STEPS + 1];
    for (int i = 0; i <= STEPS; i++) sigmas[i] = 14.0 * (STEPS - i) / STEPS;
    for (size_t s = 0; fum_sampler_name(s); s++) {
        const char *name = fum_sampler_name(s);
        struct fum_sample_params params = sd(name, NULL, 0);
        if (!fum_sampler_accepts(name, "karras")) continue;
        params.sigmas = sigmas;
        params.num_sigmas = STEPS + 1;
        struct fum_sample_program *p = make(params);
        const struct fum_sample_eval *last = &p->eval[p->evals - 1];
        bool extrapolates = strcmp(name, "lms") == 0;
        for (int k = 0; k < p->history && !extrapolates; k++)
            assert_float_equal(last->m[0][k], 0, 1e-9);
        if (!extrapolates) assert_float_equal(last->m[0][FUM_SAMPLE_D], 1, 1e-9);
        fum_sample_destroy(&p);
    }
}

// Levels that the model's own sampler cannot visit are visited by euler. A named sampler refuses
// them.
static void levels_have_a_sampler(void **state) {
    (void)state;
    static const double sigmas[] = {5, 1, 0};
    static const char *const own[] = {"pndm", "ddim", "ddpm", "lcm", NULL};
    for (int i = 0; own[i]; i++) {
        struct fum_sample_params karras = sd(NULL, "karras", 4), given = sd(NULL, NULL, 0),
                                 plain = sd(NULL, "discrete", 4), none = sd(NULL, "carras", 4);
        karras.own = given.own = plain.own = none.own = own[i];
        given.sigmas = sigmas;
        given.num_sigmas = 3;
        struct fum_sample_program *p = make(karras);
        assert_string_equal(p->sampler, "euler");
        assert_string_equal(p->schedule, "karras");
        fum_sample_destroy(&p);
        p = make(given);
        assert_string_equal(p->sampler, "euler");
        fum_sample_destroy(&p);
        p = make(plain);
        assert_string_equal(p->sampler, own[i]);
        fum_sample_destroy(&p);
        assert_int_equal(create(none, NULL), FUM_ERR_ARG);
        karras.sampler = given.sampler = own[i];
        assert_int_equal(create(karras, NULL), FUM_ERR_UNSUPPORTED);
        assert_int_equal(create(given, NULL), FUM_ERR_UNSUPPORTED);
    }
    struct fum_sample_params unipc = sd(NULL, "karras", 4);
    unipc.own = "unipc";
    struct fum_sample_program *p = make(unipc);
    assert_string_equal(p->sampler, "unipc");
    fum_sample_destroy(&p);
}

// Beside given sigmas, the settings' schedule does not round timesteps.
static void given_sigmas_have_their_own_timesteps(void **state) {
    (void)state;
    static const double sigmas[] = {5, 1.5, 0.4, 0};
    struct fum_sample_params params = sd("dpm++2m", NULL, 0);
    params.sigmas = sigmas;
    params.num_sigmas = 4;
    struct fum_sample_program *plain = make(params);
    params.config.use_karras_sigmas = FUM_SWITCH_ON;
    struct fum_sample_program *karras = make(params);
    for (int e = 0; e < plain->evals; e++)
        assert_float_equal(plain->eval[e].timestep, karras->eval[e].timestep, 0);
    fum_sample_destroy(&plain);
    fum_sample_destroy(&karras);
}

static void bad_sigmas_are_refused(void **state) {
    (void)state;
    static const double rising[] = {5, 6, 0}, equal[] = {5, 5, 0}, negative[] = {5, 1, -1},
                        wrong[] = {NAN, 1, 0}, good[] = {5, 1, 0};
    char text[512];
    const double *const bad[] = {rising, equal, negative, wrong};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fum_sample_params params = sd("euler", NULL, 0);
        params.sigmas = bad[i];
        params.num_sigmas = 3;
        assert_int_equal(create(params, text), FUM_ERR_ARG);
        assert_non_null(strstr(text, "sigmas fall"));
    }
    struct fum_sample_params params = sd("ddim", NULL, 0);
    params.sigmas = good;
    params.num_sigmas = 3;
    assert_int_equal(create(params, text), FUM_ERR_UNSUPPORTED);
    params.sampler = "euler";
    params.num_sigmas = 1;
    assert_int_equal(create(params, text), FUM_ERR_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_sigmas_are_visited),
        cmocka_unit_test(a_step_to_sigma_0_takes_the_prediction),
        cmocka_unit_test(levels_have_a_sampler),
        cmocka_unit_test(given_sigmas_have_their_own_timesteps),
        cmocka_unit_test(bad_sigmas_are_refused),
        cmocka_unit_test(names_are_listed_once_and_found),
        cmocka_unit_test(labels_are_those_of_a1111),
        cmocka_unit_test(every_combination_is_finite_or_refused),
        cmocka_unit_test(bad_requests_say_what_is_wrong),
        cmocka_unit_test(settings_files_are_read),
        cmocka_unit_test(settings_of_the_solver_are_noted),
        cmocka_unit_test(classes_stand_for_samplers),
        cmocka_unit_test(settings_keep_their_order),
        cmocka_unit_test(eta_0_is_the_deterministic_sampler),
        cmocka_unit_test(eta_has_the_samplers_own_default),
        cmocka_unit_test(edm_levels_serve_every_sampler),
        cmocka_unit_test(rows_hold_the_update),
        cmocka_unit_test(programs_start_from_history_0),
        cmocka_unit_test(continuous_time_is_of_score_models_alone),
        cmocka_unit_test(corrections_come_first),
        cmocka_unit_test(equations_are_solved_as_by_scipy),
        cmocka_unit_test(no_memory_is_an_error),
        cmocka_unit_test(beta_quantiles_match_known_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
