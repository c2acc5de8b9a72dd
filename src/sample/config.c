// SPDX-License-Identifier: MIT
// Reads scheduler_config.json.
#include "sample/sample.h"

#include "base/error.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// The names of the enumerators, from the first value that is set.
static const char *const predictions[] = {"epsilon", "v_prediction", "sample", NULL};
// Those of scheduler_config.json, which may have diffusers' first name of the last one.
static const char *const stored_predictions[] = {"epsilon", "v_prediction", "sample",
                                                 "original_sample", NULL};
static const char *const spacings[] = {"leading", "linspace", "trailing", NULL};
static const char *const betas[] = {"linear", "scaled_linear", "squaredcos_cap_v2", NULL};

const char *fum_spacing_name(size_t index) {
    return index < FUM_COUNT(spacings) ? spacings[index] : NULL;
}

const char *fum_prediction_name(size_t index) {
    return index < FUM_COUNT(predictions) ? predictions[index] : NULL;
}

const char *fum_beta_schedule_name(size_t index) {
    return index < FUM_COUNT(betas) ? betas[index] : NULL;
}

const char *fum_spacing_word(enum fum_spacing spacing) {
    return spacing == FUM_SPACING_UNSET ? NULL : spacings[spacing - 1];
}

const char *fum_prediction_word(enum fum_prediction prediction) {
    return prediction == FUM_PREDICT_UNSET ? NULL : predictions[prediction - 1];
}

enum fum_result fum_spacing_parse(enum fum_spacing *spacing, const char *word,
                                  struct fum_error *err) {
    for (int i = 0; spacings[i]; i++) {
        if (strcmp(spacings[i], word)) continue;
        *spacing = (enum fum_spacing)(i + 1);
        return FUM_OK;
    }
    return fum_error_unknown(err, "timestep spacing", word, fum_spacing_name);
}

enum fum_result fum_prediction_parse(enum fum_prediction *prediction, const char *word,
                                     struct fum_error *err) {
    for (int i = 0; predictions[i]; i++) {
        if (strcmp(predictions[i], word)) continue;
        *prediction = (enum fum_prediction)(i + 1);
        return FUM_OK;
    }
    return fum_error_unknown(err, "prediction", word, fum_prediction_name);
}

enum fum_result fum_betas_parse(enum fum_betas *schedule, const char *word, struct fum_error *err) {
    for (int i = 0; betas[i]; i++) {
        if (strcmp(betas[i], word)) continue;
        *schedule = (enum fum_betas)(i + 1);
        return FUM_OK;
    }
    return fum_error_unknown(err, "beta schedule", word, fum_beta_schedule_name);
}

struct fum_sample_config fum_sample_config_unset(void) {
    return (struct fum_sample_config){.beta_start = NAN,
                                      .beta_end = NAN,
                                      .steps_offset = -1,
                                      .clip_sample_range = NAN,
                                      .sample_max_value = NAN,
                                      .dynamic_thresholding_ratio = NAN,
                                      .sigma_min = NAN,
                                      .sigma_max = NAN,
                                      .sigma_data = NAN,
                                      .rho = NAN,
                                      .timestep_scaling = NAN,
                                      .beta_min = NAN,
                                      .beta_max = NAN,
                                      .sampling_eps = NAN,
                                      .snr = NAN,
                                      .correct_steps = -1};
}

struct fum_sample_config fum_sample_config_sd(void) {
    struct fum_sample_config c = fum_sample_config_unset();
    c.num_train_timesteps = 1000;
    c.beta_schedule = FUM_BETAS_SCALED_LINEAR;
    c.beta_start = 0.00085;
    c.beta_end = 0.012;
    c.prediction_type = FUM_PREDICT_EPSILON;
    c.timestep_spacing = FUM_SPACING_LEADING;
    c.steps_offset = 1;
    c.set_alpha_to_one = FUM_SWITCH_OFF;
    c.clip_sample = FUM_SWITCH_OFF;
    c.skip_prk_steps = FUM_SWITCH_ON;
    return c;
}

// Returns the value of a key that was really given: not null, and not filled in by diffusers when
// it saved the file. Else NULL.
static const cJSON *given(const cJSON *object, const char *key) {
    const cJSON *filled, *value = cJSON_GetObjectItemCaseSensitive(object, key);
    cJSON_ArrayForEach(filled, cJSON_GetObjectItemCaseSensitive(object, "_use_default_values")) {
        if (cJSON_IsString(filled) && strcmp(filled->valuestring, key) == 0) return NULL;
    }
    return cJSON_IsNull(value) ? NULL : value;
}

static enum fum_result wrong(struct fum_error *err, const char *key, const char *wanted) {
    return fum_error_set(err, FUM_ERR_FORMAT, "scheduler_config.json: %s should be %s", key,
                         wanted);
}

static enum fum_result read_real(double *out, const cJSON *object, const char *key,
                                 struct fum_error *err) {
    const cJSON *value = given(object, key);
    if (!value) return FUM_OK;
    if (!cJSON_IsNumber(value) || !isfinite(value->valuedouble)) return wrong(err, key, "a number");
    *out = value->valuedouble;
    return FUM_OK;
}

// A number between two bounds, which are excluded.
struct real_key {
    const char *key;
    double *out;
    double above, below;
};

static enum fum_result read_within(const struct real_key *real, const cJSON *object,
                                   struct fum_error *err) {
    enum fum_result result = read_real(real->out, object, real->key, err);
    bool inside = *real->out > real->above && *real->out < real->below;
    if (result || !given(object, real->key) || inside) return result;
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "scheduler_config.json: %s is %g, but must be above %g and below %g",
                         real->key, *real->out, real->above, real->below);
}

static enum fum_result read_whole(int *out, const cJSON *object, const char *key,
                                  struct fum_error *err) {
    double value = *out;
    enum fum_result result = read_real(&value, object, key, err);
    if (result) return result;
    if (!given(object, key)) return FUM_OK;
    if (value != floor(value) || value < 0 || value > FUM_SAMPLE_MAX_TRAIN)
        return wrong(err, key, "a whole number that is not negative");
    *out = (int)value;
    return FUM_OK;
}

static enum fum_result read_switch(enum fum_switch *out, const cJSON *object, const char *key,
                                   struct fum_error *err) {
    const cJSON *value = given(object, key);
    if (!value) return FUM_OK;
    if (!cJSON_IsBool(value)) return wrong(err, key, "true or false");
    *out = cJSON_IsTrue(value) ? FUM_SWITCH_ON : FUM_SWITCH_OFF;
    return FUM_OK;
}

// Notes a setting that no sampler here implements, and its value if that matters.
static void note_ignored(struct fum_sample_config *c, const char *key, const char *value) {
    size_t used = strlen(c->ignored);
    const char *comma = used ? ", " : "";
    char shown[25] = "";
    if (value) fum_text_escape(shown, sizeof shown, value, strlen(value));
    snprintf(c->ignored + used, sizeof c->ignored - used, "%s%s%s%s", comma, key, value ? " " : "",
             shown);
}

// Finds a text among `names`, which end in NULL. *out is its index plus one. 0: the text is missing
// or another one.
static enum fum_result find_choice(int *out, const cJSON *object, const char *key,
                                   const char *const *names, struct fum_error *err) {
    const cJSON *value = given(object, key);
    *out = 0;
    if (!value) return FUM_OK;
    if (!cJSON_IsString(value)) return wrong(err, key, "text");
    for (int i = 0; names[i] && !*out; i++)
        if (strcmp(names[i], value->valuestring) == 0) *out = i + 1;
    return FUM_OK;
}

// Does the same for a setting of the training, for which no other value can stand in.
static enum fum_result read_choice(int *out, const cJSON *object, const char *key,
                                   const char *const *names, struct fum_error *err) {
    enum fum_result result = find_choice(out, object, key, names, err);
    const cJSON *value = given(object, key);
    if (result || *out || !value) return result;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "scheduler_config.json: %s \"%s\" is not supported here", key,
                         fum_text_show(value->valuestring).text);
}

// Reads the solver's settings that are texts. A value that no sampler here implements is noted and
// leaves the default.
static enum fum_result read_texts(struct fum_sample_config *c, const cJSON *object,
                                  struct fum_error *err) {
    static const char *const variances[] = {"fixed_small", "fixed_small_log", "fixed_large",
                                            "learned",     "learned_range",   NULL};
    static const char *const algorithms[] = {"dpmsolver++", "sde-dpmsolver++", "deis", NULL};
    static const char *const solvers[] = {"midpoint", "heun", "bh1", "bh2", "logrho", NULL};
    static const char *const curves[] = {"karras", "exponential", NULL};
    static const char *const finals[] = {"zero", "sigma_min", NULL};
    static const char *const interpolations[] = {"linear", NULL};
    const struct {
        const char *key;
        const char *const *names;
        char *out; // NULL: every sampler does what the only name says
        size_t size;
    } texts[] = {
        {"variance_type", variances, c->variance_type, sizeof c->variance_type},
        {"algorithm_type", algorithms, c->algorithm_type, sizeof c->algorithm_type},
        {"solver_type", solvers, c->solver_type, sizeof c->solver_type},
        {"final_sigmas_type", finals, c->final_sigmas_type, sizeof c->final_sigmas_type},
        {"sigma_schedule", curves, c->sigma_schedule, sizeof c->sigma_schedule},
        {"interpolation_type", interpolations, NULL, 0},
    };
    for (size_t i = 0; i < FUM_COUNT(texts); i++) {
        int choice = 0;
        enum fum_result result = find_choice(&choice, object, texts[i].key, texts[i].names, err);
        const cJSON *value = given(object, texts[i].key);
        if (result) return result;
        if (value && !choice) note_ignored(c, texts[i].key, value->valuestring);
        if (choice && texts[i].out)
            snprintf(texts[i].out, texts[i].size, "%s", texts[i].names[choice - 1]);
    }
    return FUM_OK;
}

// Notes settings that change the picture and that no sampler here implements. Betas given one by
// one are an error instead: they belong to the model, and no default can replace them.
static enum fum_result note_unsupported(struct fum_sample_config *c, const cJSON *object,
                                        struct fum_error *err) {
    static const char *const keys[] = {"use_lu_lambdas", "use_flow_sigmas", "solver_p",
                                       "use_dynamic_shifting", NULL};
    for (int i = 0; keys[i]; i++) {
        const cJSON *value = given(object, keys[i]);
        if (value && !cJSON_IsFalse(value)) note_ignored(c, keys[i], NULL);
    }
    if (cJSON_IsNumber(given(object, "lambda_min_clipped"))) // infinity, the default, reads as null
        note_ignored(c, "lambda_min_clipped", NULL);
    static const char *const orders[] = {"predictor_order", "corrector_order"}; // SA-Solver's
    for (int i = 0; i < 2; i++) {
        const cJSON *order = given(object, orders[i]);
        if (cJSON_IsNumber(order) && order->valueint != 2) note_ignored(c, orders[i], NULL);
    }
    const cJSON *predict = given(object, "predict_x0"), *trained = given(object, "trained_betas");
    if (predict && cJSON_IsFalse(predict)) note_ignored(c, "predict_x0", "false");
    if (!trained || cJSON_IsFalse(trained)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "scheduler_config.json: trained_betas is not supported here");
}

// Reads the settings of the training. Every value must be supported.
static enum fum_result read_choices(struct fum_sample_config *c, const cJSON *object,
                                    struct fum_error *err) {
    static const char *const time_types[] = {"discrete", "continuous", NULL};
    int beta = 0, prediction = 0, spacing = 0, time_type = 0;
    enum fum_result result = read_choice(&beta, object, "beta_schedule", betas, err);
    if (!result)
        result = read_choice(&prediction, object, "prediction_type", stored_predictions, err);
    if (!result) result = read_choice(&spacing, object, "timestep_spacing", spacings, err);
    if (!result) result = read_choice(&time_type, object, "timestep_type", time_types, err);
    // diffusers uses it for v-prediction alone: such a UNet was trained on logarithms of sigmas.
    if (!result && time_type == 2 && prediction == FUM_PREDICT_V)
        result = fum_error_set(
            err, FUM_ERR_UNSUPPORTED,
            "scheduler_config.json: timestep_type \"continuous\" is not supported here");
    c->beta_schedule = (enum fum_betas)beta;
    c->prediction_type = (enum fum_prediction)FUM_MIN(prediction, FUM_PREDICT_SAMPLE);
    c->timestep_spacing = (enum fum_spacing)spacing;
    return result;
}

// Reads the settings of a process in continuous time.
static enum fum_result read_process(struct fum_sample_config *c, const cJSON *object,
                                    struct fum_error *err) {
    enum fum_result result = read_real(&c->beta_min, object, "beta_min", err);
    if (!result) result = read_real(&c->beta_max, object, "beta_max", err);
    if (!result) result = read_real(&c->sampling_eps, object, "sampling_eps", err);
    if (!result) result = read_real(&c->snr, object, "snr", err);
    return result ? result : read_whole(&c->correct_steps, object, "correct_steps", err);
}

enum fum_result fum_sample_config_read(struct fum_sample_config *config, const cJSON *object,
                                       struct fum_error *err) {
    struct fum_sample_config c = fum_sample_config_unset();
    const struct real_key reals[] = {
        {"beta_start", &c.beta_start, 0, 1},
        {"beta_end", &c.beta_end, 0, 1},
        {"clip_sample_range", &c.clip_sample_range, 0, INFINITY},
        {"sample_max_value", &c.sample_max_value, 0, INFINITY},
        {"dynamic_thresholding_ratio", &c.dynamic_thresholding_ratio, 0, 1 + 1e-9},
        {"sigma_min", &c.sigma_min, -INFINITY, INFINITY},
        {"sigma_max", &c.sigma_max, -INFINITY, INFINITY},
        {"sigma_data", &c.sigma_data, -INFINITY, INFINITY},
        {"rho", &c.rho, -INFINITY, INFINITY},
        {"timestep_scaling", &c.timestep_scaling, -INFINITY, INFINITY},
    };
    struct {
        const char *key;
        int *out;
    } wholes[] = {
        {"num_train_timesteps", &c.num_train_timesteps},
        {"steps_offset", &c.steps_offset},
        {"solver_order", &c.solver_order},
        {"original_inference_steps", &c.original_inference_steps},
    };
    struct {
        const char *key;
        enum fum_switch *out;
    } switches[] = {
        {"rescale_betas_zero_snr", &c.rescale_betas_zero_snr},
        {"set_alpha_to_one", &c.set_alpha_to_one},
        {"clip_sample", &c.clip_sample},
        {"thresholding", &c.thresholding},
        {"skip_prk_steps", &c.skip_prk_steps},
        {"lower_order_final", &c.lower_order_final},
        {"euler_at_final", &c.euler_at_final},
        {"use_karras_sigmas", &c.use_karras_sigmas},
        {"use_exponential_sigmas", &c.use_exponential_sigmas},
        {"use_beta_sigmas", &c.use_beta_sigmas},
    };
    if (!cJSON_IsObject(object))
        return fum_error_set(err, FUM_ERR_FORMAT, "scheduler_config.json: should be an object");
    snprintf(c.class_name, sizeof c.class_name, "%s", fum_json_string(object, "_class_name", ""));
    enum fum_result result = note_unsupported(&c, object, err);
    if (!result) result = read_choices(&c, object, err);
    if (!result) result = read_texts(&c, object, err);
    if (!result) result = read_process(&c, object, err);
    for (size_t i = 0; i < FUM_COUNT(reals) && !result; i++)
        result = read_within(&reals[i], object, err);
    for (size_t i = 0; i < FUM_COUNT(wholes) && !result; i++)
        result = read_whole(wholes[i].out, object, wholes[i].key, err);
    for (size_t i = 0; i < FUM_COUNT(switches) && !result; i++)
        result = read_switch(switches[i].out, object, switches[i].key, err);
    if (!result) *config = c;
    return result;
}
