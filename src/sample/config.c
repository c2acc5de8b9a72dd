// scheduler_config.json.
#include "sample/sample.h"

#include "base/error.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct fum_sample_config fum_sample_config_unset(void) {
    return (struct fum_sample_config){.beta_start = NAN,
                                      .beta_end = NAN,
                                      .steps_offset = -1,
                                      .clip_sample_range = NAN,
                                      .sigma_min = NAN,
                                      .sigma_max = NAN,
                                      .timestep_scaling = NAN};
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

// The value of a key that was really given: not null, and not one that diffusers filled in when it saved.
static const cJSON *given(const cJSON *object, const char *key) {
    const cJSON *filled, *value = cJSON_GetObjectItemCaseSensitive(object, key);
    cJSON_ArrayForEach(filled, cJSON_GetObjectItemCaseSensitive(object, "_use_default_values")) {
        if (cJSON_IsString(filled) && strcmp(filled->valuestring, key) == 0) return NULL;
    }
    return cJSON_IsNull(value) ? NULL : value;
}

static enum fum_result wrong(struct fum_error *err, const char *key, const char *wanted) {
    return fum_error_set(err, FUM_ERR_FORMAT, "scheduler_config.json: %s should be %s", key, wanted);
}

static enum fum_result read_real(double *out, const cJSON *object, const char *key, struct fum_error *err) {
    const cJSON *value = given(object, key);
    if (!value) return FUM_OK;
    if (!cJSON_IsNumber(value) || !isfinite(value->valuedouble)) return wrong(err, key, "a number");
    *out = value->valuedouble;
    return FUM_OK;
}

static enum fum_result read_whole(int *out, const cJSON *object, const char *key, struct fum_error *err) {
    double value = *out;
    enum fum_result result = read_real(&value, object, key, err);
    if (result != FUM_OK) return result;
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

// Text that must be one of `names` (ends in NULL); *out is its index plus one.
static enum fum_result read_choice(int *out, const cJSON *object, const char *key, const char *const *names,
                                   struct fum_error *err) {
    const cJSON *value = given(object, key);
    if (!value) return FUM_OK;
    if (!cJSON_IsString(value)) return wrong(err, key, "text");
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], value->valuestring) == 0) {
            *out = i + 1;
            return FUM_OK;
        }
    }
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "scheduler_config.json: %s \"%.40s\" is not supported here", key,
                         value->valuestring);
}

static enum fum_result read_text(char *out, size_t size, const cJSON *object, const char *key,
                                 const char *const *names, struct fum_error *err) {
    int choice = 0;
    enum fum_result result = read_choice(&choice, object, key, names, err);
    if (result == FUM_OK && choice) snprintf(out, size, "%s", names[choice - 1]);
    return result;
}

// Settings that change the picture and that no sampler here follows.
static enum fum_result check_absent(const cJSON *object, struct fum_error *err) {
    static const char *const keys[] = {"thresholding",
                                       "trained_betas",
                                       "use_lu_lambdas",
                                       "use_flow_sigmas",
                                       "solver_p",
                                       "use_dynamic_shifting",
                                       NULL};
    for (int i = 0; keys[i]; i++) {
        const cJSON *value = given(object, keys[i]);
        if (value && !cJSON_IsFalse(value))
            return fum_error_set(err, FUM_ERR_UNSUPPORTED, "scheduler_config.json: %s is not supported here",
                                 keys[i]);
    }
    if (cJSON_IsNumber(given(object, "lambda_min_clipped"))) // infinity, the default, reads as null
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "scheduler_config.json: lambda_min_clipped is not supported here");
    const cJSON *predict = given(object, "predict_x0");
    if (predict && cJSON_IsFalse(predict))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "scheduler_config.json: predict_x0 false is not supported here");
    return FUM_OK;
}

static enum fum_result read_choices(struct fum_sample_config *c, const cJSON *object, struct fum_error *err) {
    static const char *const betas[] = {"linear", "scaled_linear", "squaredcos_cap_v2", NULL};
    static const char *const predictions[] = {"epsilon", "v_prediction", "sample", NULL};
    static const char *const spacings[] = {"leading", "linspace", "trailing", NULL};
    static const char *const variances[] = {"fixed_small", "fixed_small_log", "fixed_large", NULL};
    static const char *const algorithms[] = {
        "dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver", "deis", NULL};
    static const char *const solvers[] = {"midpoint", "heun", "bh1", "bh2", "logrho", NULL};
    static const char *const interpolations[] = {"linear", NULL}, *const time_types[] = {"discrete", NULL};
    static const char *const finals[] = {"zero", "sigma_min", NULL};
    int beta = 0, prediction = 0, spacing = 0, only = 0;
    enum fum_result result = read_choice(&beta, object, "beta_schedule", betas, err);
    if (result == FUM_OK) result = read_choice(&prediction, object, "prediction_type", predictions, err);
    if (result == FUM_OK) result = read_choice(&spacing, object, "timestep_spacing", spacings, err);
    if (result == FUM_OK) result = read_choice(&only, object, "interpolation_type", interpolations, err);
    if (result == FUM_OK) result = read_choice(&only, object, "timestep_type", time_types, err);
    if (result == FUM_OK)
        result =
            read_text(c->variance_type, sizeof c->variance_type, object, "variance_type", variances, err);
    if (result == FUM_OK)
        result =
            read_text(c->algorithm_type, sizeof c->algorithm_type, object, "algorithm_type", algorithms, err);
    if (result == FUM_OK)
        result = read_text(c->solver_type, sizeof c->solver_type, object, "solver_type", solvers, err);
    if (result == FUM_OK)
        result = read_text(c->final_sigmas_type, sizeof c->final_sigmas_type, object, "final_sigmas_type",
                           finals, err);
    c->beta_schedule = (enum fum_betas)beta;
    c->prediction_type = (enum fum_prediction)prediction;
    c->timestep_spacing = (enum fum_spacing)spacing;
    return result;
}

enum fum_result fum_sample_config_read(struct fum_sample_config *config, const cJSON *object,
                                       struct fum_error *err) {
    struct fum_sample_config c = fum_sample_config_unset();
    struct {
        const char *key;
        double *out;
    } reals[] = {
        {"beta_start", &c.beta_start},
        {"beta_end", &c.beta_end},
        {"clip_sample_range", &c.clip_sample_range},
        {"sigma_min", &c.sigma_min},
        {"sigma_max", &c.sigma_max},
        {"timestep_scaling", &c.timestep_scaling},
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
    enum fum_result result = check_absent(object, err);
    if (result == FUM_OK) result = read_choices(&c, object, err);
    for (size_t i = 0; i < sizeof reals / sizeof *reals && result == FUM_OK; i++)
        result = read_real(reals[i].out, object, reals[i].key, err);
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes && result == FUM_OK; i++)
        result = read_whole(wholes[i].out, object, wholes[i].key, err);
    for (size_t i = 0; i < sizeof switches / sizeof *switches && result == FUM_OK; i++)
        result = read_switch(switches[i].out, object, switches[i].key, err);
    if (result == FUM_OK) *config = c;
    return result;
}
