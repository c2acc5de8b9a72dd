// SPDX-License-Identifier: MIT
// Builds a sampler's program from settings.
#include "sample/builder.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_continuous(const struct fum_sample_builder *builder) {
    return builder->sampler->space == FUM_SPACE_CONTINUOUS;
}

// Checks that sampler and model have the same kind of time.
static enum fum_result check_time(const struct fum_sample_builder *builder) {
    const char *name = builder->sampler->name;
    bool trained = fum_sample_config_continuous(&builder->c);
    if (trained && !is_continuous(builder))
        return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                             "sampler %s visits training timesteps, and this score model was "
                             "trained in continuous time: use sampler sde, pc or ode",
                             name);
    if (trained || !is_continuous(builder)) return FUM_OK;
    return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                         "sampler %s draws from score models in continuous time, as train score "
                         "saves them, and this model has timesteps: use a sampler such as euler or "
                         "dpm++2m",
                         name);
}

// True if the sampler takes timesteps alone, and the request has noise levels to visit.
static bool cannot_visit(const struct fum_sampler *sampler,
                         const struct fum_sample_params *params) {
    int schedule = params->schedule ? fum_schedule_find(params->schedule) : -1;
    if (!sampler || sampler->space != FUM_SPACE_TIME) return false;
    return params->sigmas || (schedule >= 0 && !fum_sampler_runs_on(sampler, schedule));
}

// Chooses the named sampler, or the one that stands for the settings' class.
static enum fum_result choose_sampler(struct fum_sample_builder *builder,
                                      const struct fum_sample_params *params) {
    const struct fum_sample_config *c = &params->config;
    const char *name = params->sampler ? params->sampler : params->own;
    builder->edm = fum_sample_config_edm(c);
    if (!name)
        builder->sampler = fum_sampler_of_class(c);
    else
        builder->sampler = builder->edm ? fum_sampler_find_edm(name) : fum_sampler_find(name);
    if (!builder->sampler && name)
        return fum_error_unknown(builder->err, "sampler", name, fum_sampler_name);
    if (!params->sampler && cannot_visit(builder->sampler, params))
        builder->sampler = fum_sampler_find("euler");
    if (!builder->sampler)
        return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                             "the model's scheduler class %s is not supported: name a sampler, for "
                             "instance euler or dpm++2m",
                             c->class_name);
    // else the model's own settings decide
    bool named_order = name && builder->sampler->order;
    builder->order = named_order ? builder->sampler->order : fum_sample_config_order(c);
    if ((builder->edm || c->preconditioned) && builder->sampler->space == FUM_SPACE_TIME)
        return fum_error_set(
            builder->err, FUM_ERR_UNSUPPORTED,
            "sampler %s visits whole training timesteps, and this model has continuous noise "
            "levels (EDM): use a sampler such as euler or dpm++2m",
            builder->sampler->name);
    return check_time(builder);
}

// Sets eta, the sampler's default unless one is given.
static enum fum_result choose_eta(struct fum_sample_builder *builder,
                                  const struct fum_sample_params *params) {
    if (!(params->eta <= FUM_MAX_ETA))
        return fum_error_set(builder->err, FUM_ERR_ARG,
                             "eta %g is out of range: use 0 (no noise) to %g", params->eta,
                             FUM_MAX_ETA);
    builder->eta = params->eta == 0 ? builder->sampler->eta : fmax(params->eta, 0);
    builder->sde = builder->sampler->sde && builder->eta > 0;
    return FUM_OK;
}

// Returns the schedule of the model's own settings.
static int own_schedule(const struct fum_sample_builder *builder) {
    const struct fum_sample_config *c = &builder->c;
    if (builder->edm)
        return strcmp(c->sigma_schedule, "exponential") == 0 ? FUM_SCHEDULE_EXPONENTIAL
                                                             : FUM_SCHEDULE_KARRAS;
    if (!builder->sampler->has_schedules) return FUM_SCHEDULE_DISCRETE;
    if (c->use_karras_sigmas == FUM_SWITCH_ON) return FUM_SCHEDULE_KARRAS;
    if (c->use_exponential_sigmas == FUM_SWITCH_ON) return FUM_SCHEDULE_EXPONENTIAL;
    return c->use_beta_sigmas == FUM_SWITCH_ON ? FUM_SCHEDULE_BETA : FUM_SCHEDULE_DISCRETE;
}

static enum fum_result choose_schedule(struct fum_sample_builder *builder,
                                       const struct fum_sample_params *params) {
    if (is_continuous(builder) && !params->schedule) return FUM_OK;
    int chosen = params->schedule ? fum_schedule_find(params->schedule) : own_schedule(builder);
    // given levels have no schedule, which would round their timesteps
    if (builder->given && chosen >= 0) chosen = FUM_SCHEDULE_DISCRETE;
    if (chosen < 0)
        return fum_error_unknown(builder->err, "schedule", params->schedule, fum_schedule_name);
    if (builder->edm && chosen == FUM_SCHEDULE_DISCRETE)
        chosen = own_schedule(builder); // EDM has no training timesteps
    builder->schedule = (enum fum_schedule)chosen;
    if (is_continuous(builder))
        return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                             "sampler %s runs in continuous time and has no schedule: leave the "
                             "schedule out",
                             builder->sampler->name);
    if (!fum_sampler_runs_on(builder->sampler, chosen))
        return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                             "sampler %s visits whole training timesteps and has no %s schedule: "
                             "use schedule discrete, or a sampler such as euler or dpm++2m",
                             builder->sampler->name, fum_schedule_name((size_t)chosen));
    return FUM_OK;
}

// Sets an unset field to the default of the sampler's class, or to the common one if the class has
// none.
#define SET_WHOLE(field, common)                                  \
    do {                                                          \
        if (!c->field) c->field = d->field ? d->field : (common); \
    } while (0)
#define SET_REAL(field, common)                                              \
    do {                                                                     \
        if (isnan(c->field)) c->field = d->field != 0 ? d->field : (common); \
    } while (0)
#define SET_TEXT(field, common)                                          \
    do {                                                                 \
        const char *text = *d->field ? d->field : (common);              \
        if (!*c->field) snprintf(c->field, sizeof c->field, "%s", text); \
    } while (0)

// Sets every unset setting to the default of the sampler's class.
static void fill_defaults(struct fum_sample_builder *builder) {
    struct fum_sample_config *c = &builder->c;
    const struct fum_sample_config *d = &builder->sampler->defaults;
    SET_WHOLE(num_train_timesteps, 1000);
    SET_WHOLE(beta_schedule, FUM_BETAS_LINEAR);
    SET_REAL(beta_start, 0.0001);
    SET_REAL(beta_end, 0.02);
    SET_WHOLE(prediction_type, FUM_PREDICT_EPSILON);
    SET_WHOLE(timestep_spacing, FUM_SPACING_LINSPACE);
    if (c->steps_offset < 0) c->steps_offset = 0;
    SET_WHOLE(set_alpha_to_one, FUM_SWITCH_OFF);
    SET_WHOLE(clip_sample, FUM_SWITCH_OFF);
    SET_REAL(clip_sample_range, 1);
    SET_REAL(sample_max_value, 1);
    SET_REAL(dynamic_thresholding_ratio, 0.995);
    SET_TEXT(variance_type, "fixed_small");
    SET_WHOLE(skip_prk_steps, FUM_SWITCH_OFF);
    SET_TEXT(algorithm_type, "dpmsolver++");
    SET_TEXT(solver_type, "");
    SET_WHOLE(lower_order_final, FUM_SWITCH_ON);
    SET_WHOLE(euler_at_final, FUM_SWITCH_OFF);
    SET_TEXT(final_sigmas_type, "zero");
    SET_WHOLE(original_inference_steps, 50);
    SET_REAL(timestep_scaling, 10);
    if (builder->edm) {
        SET_REAL(sigma_min, 0.002);
        SET_REAL(sigma_max, 80);
        SET_REAL(sigma_data, 0.5);
        SET_REAL(rho, 7);
    }
    // As in diffusers, the solver_type of another family counts as unset.
    bool unipc = builder->sampler->unipc_solvers;
    if (unipc && strcmp(c->solver_type, "bh1") != 0) memcpy(c->solver_type, "bh2", sizeof "bh2");
    if (builder->sampler->heun)
        memcpy(c->solver_type, "heun", sizeof "heun");
    else if (!unipc && strcmp(c->solver_type, "heun") != 0)
        memcpy(c->solver_type, "midpoint", sizeof "midpoint");
}

static enum fum_result check_edm(struct fum_sample_builder *builder) {
    const struct fum_sample_config *c = &builder->c;
    bool good = c->sigma_min > 0 && c->sigma_max > c->sigma_min && c->sigma_max <= 1e6 &&
                c->sigma_data > 0 && c->rho > 0;
    if (good) return FUM_OK;
    return fum_error_set(
        builder->err, FUM_ERR_FORMAT,
        "the scheduler's sigma_min %g, sigma_max %g, sigma_data %g or rho %g is out of range",
        c->sigma_min, c->sigma_max, c->sigma_data, c->rho);
}

static enum fum_result check_config(struct fum_sample_builder *builder) {
    const struct fum_sample_config *c = &builder->c;
    const char *name = builder->sampler->name;
    if (c->num_train_timesteps < 1 || c->num_train_timesteps > FUM_SAMPLE_MAX_TRAIN)
        return fum_error_set(builder->err, FUM_ERR_FORMAT,
                             "num_train_timesteps is %d; it must be 1 to %d",
                             c->num_train_timesteps, FUM_SAMPLE_MAX_TRAIN);
    // Not even one step would fall on a timestep of the model.
    if (c->timestep_spacing == FUM_SPACING_LEADING && c->steps_offset >= c->num_train_timesteps)
        return fum_error_set(
            builder->err, FUM_ERR_FORMAT,
            "the scheduler's steps_offset is %d, but must be below its num_train_timesteps %d",
            c->steps_offset, c->num_train_timesteps);
    int most = is_continuous(builder) ? FUM_SAMPLE_MAX_TRAIN : c->num_train_timesteps;
    if (builder->steps < 1 || builder->steps > most)
        return fum_error_set(builder->err, FUM_ERR_ARG,
                             "sampler %s cannot take %d steps: use 1 to %d", name, builder->steps,
                             most);
    bool real = c->beta_schedule == FUM_BETAS_SQUAREDCOS ||
                (c->beta_start > 0 && c->beta_end < 1 && c->beta_end > 0);
    if (!real || !(c->clip_sample_range > 0))
        return fum_error_set(
            builder->err, FUM_ERR_FORMAT,
            "the scheduler's beta_start %g, beta_end %g or clip_sample_range %g is out of range",
            c->beta_start, c->beta_end, c->clip_sample_range);
    if (builder->order < 1 || builder->order > 3)
        return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                             "solver_order %d is not supported by sampler %s: use 1 to 3",
                             builder->order, name);
    return builder->edm ? check_edm(builder) : FUM_OK;
}

// Sets the scales of history[0]'s first value if the schedule determines them. Builders of
// FUM_SPACE_TIME set their own.
static void set_start(struct fum_sample_builder *builder, bool image) {
    struct fum_sample_program *p = builder->program;
    double sigma = builder->sigma[builder->start];
    p->init_scale = p->image_scale = 1;
    if (builder->edm || builder->sampler->space == FUM_SPACE_SIGMA) {
        double most = sigma;
        for (int i = 0; i < builder->steps; i++) most = fmax(most, builder->sigma[i]);
        bool with_data = builder->edm || builder->c.timestep_spacing == FUM_SPACING_LEADING;
        if (!image) sigma = with_data ? sqrt(most * most + 1) : most;
        p->init_scale = sigma;
    } else if (builder->sampler->space == FUM_SPACE_VP && image) {
        p->image_scale = 1 / sqrt(sigma * sigma + 1);
        p->init_scale = sigma * p->image_scale;
    }
    if (!image) p->image_scale = 0;
}

static bool coefficients_are_finite(const struct fum_sample_program *p) {
    bool good = isfinite(p->init_scale) && isfinite(p->image_scale);
    for (int e = 0; e < p->evals; e++) {
        const struct fum_sample_eval *ev = &p->eval[e];
        good = good && isfinite(ev->timestep) && isfinite(ev->c_in) && isfinite(ev->a) &&
               isfinite(ev->b);
        for (int k = 0; k < p->history; k++) {
            for (int j = 0; j < FUM_SAMPLE_INPUTS; j++) good = good && isfinite(ev->m[k][j]);
        }
    }
    return good;
}

// Refuses non-finite coefficients: the combination has no meaning at some timestep.
static enum fum_result check_finite(struct fum_sample_builder *builder) {
    const struct fum_sample_program *p = builder->program;
    const char *sampler = builder->sampler->name, *schedule = fum_schedule_name(builder->schedule);
    if (coefficients_are_finite(p)) return FUM_OK;
    for (int i = 1; i < p->sigma_count; i++) {
        if (p->sigmas[i] != p->sigmas[i - 1]) continue;
        return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                             "sampler %s has no finite update where two steps share a noise level, "
                             "as steps %d and %d of %d do on schedule %s: use fewer steps",
                             sampler, i, i + 1, builder->steps, schedule);
    }
    return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                         "sampler %s has no finite update on schedule %s with %d steps: a model "
                         "with zero terminal SNR needs v prediction",
                         sampler, schedule, builder->steps);
}

// True for a schedule that diffusers has and that ends at its own sigma_min.
static bool ends_at_minimum(enum fum_schedule schedule) {
    return schedule == FUM_SCHEDULE_KARRAS || schedule == FUM_SCHEDULE_EXPONENTIAL ||
           schedule == FUM_SCHEDULE_BETA;
}

// Replaces the last sigma, 0, if the class and its settings end at sigma_min.
static void set_final_sigma(struct fum_sample_builder *builder) {
    const struct fum_sampler *s = builder->sampler;
    if (builder->given) return;
    bool chosen = s->final_sigma && strcmp(builder->c.final_sigmas_type, "sigma_min") == 0;
    if (s->space == FUM_SPACE_TIME || !(chosen || s->ends_low)) return;
    double last = builder->sigma[builder->steps - 1], least = builder->noise.sigma[0];
    bool repeats = ends_at_minimum(builder->schedule) && !builder->edm;
    builder->sigma[builder->steps] =
        (s->final_repeats || s->ends_low) && repeats ? last : fmin(last, least);
}

// Bounds every denoised prediction if the class has thresholding and its settings request it. The
// quantile counts for nothing if the maximum is 1, its default.
static void set_thresholds(struct fum_sample_builder *builder) {
    struct fum_sample_program *p = builder->program;
    const struct fum_sample_config *c = &builder->c;
    if (!builder->sampler->thresholds || c->thresholding != FUM_SWITCH_ON) return;
    bool dynamic = c->sample_max_value > 1;
    for (int e = 0; e < p->evals; e++) p->eval[e].clip = dynamic ? 0 : 1;
    if (!dynamic) return;
    p->threshold_ratio = fmin(c->dynamic_thresholding_ratio, 1);
    p->threshold_max = c->sample_max_value;
}

// Fills in the names and settings that describe the program.
static void describe_program(struct fum_sample_builder *builder) {
    struct fum_sample_program *p = builder->program;
    // A1111 has no schedule for these
    bool plain = builder->sampler->space == FUM_SPACE_TIME || is_continuous(builder);
    p->sampler = builder->sampler->name;
    p->schedule = fum_schedule_name(builder->schedule);
    p->sampler_label = builder->sampler->label;
    p->schedule_label =
        plain || builder->given ? "Automatic" : fum_schedule_label(builder->schedule);
    if (!builder->edm && !is_continuous(builder)) p->spacing = builder->c.timestep_spacing;
    if (!is_continuous(builder)) p->prediction = builder->c.prediction_type;
    p->takes_eta = builder->sampler->takes_eta;
    p->eta = builder->eta;
    p->default_eta = builder->sampler->eta;
}

// Adds the evaluations of a sampler that visits noise levels.
static enum fum_result build_levels(struct fum_sample_builder *builder, bool image) {
    struct fum_sample_program *p = builder->program;
    if (!fum_noise_schedule_fill(builder) || !fum_sample_build_schedule(builder))
        return FUM_ERR_NOMEM;
    set_final_sigma(builder);
    set_start(builder, image);
    bool (*add_steps)(struct fum_sample_builder *) =
        builder->invert ? fum_build_ddim_inverse : builder->sampler->build;
    if (!add_steps(builder))
        return builder->err && builder->err->code ? builder->err->code : FUM_ERR_UNSUPPORTED;
    if (!builder->invert) set_thresholds(builder);
    if (builder->sampler->space != FUM_SPACE_TIME) {
        p->sigma_count = builder->steps + 1;
        p->sigmas = builder->sigma;
        builder->sigma = NULL;
    }
    // Only history[0] holds a value before the first evaluation.
    for (int k = 0; k < p->history; k++) {
        for (int j = 1; j < FUM_SAMPLER_MAX_HISTORY; j++) p->eval[0].m[k][j] = 0;
    }
    return check_finite(builder);
}

// Adds the evaluations of a sampler in continuous time.
static enum fum_result build_continuous(struct fum_sample_builder *builder) {
    struct fum_sample_program *p = builder->program;
    enum fum_result result = fum_process_read(&p->process, &builder->c, builder->err);
    if (result) return result;
    p->init_scale = fum_process_prior_deviation(&p->process);
    if (!builder->sampler->build(builder)) return FUM_ERR_NOMEM;
    return check_finite(builder);
}

static enum fum_result build(struct fum_sample_builder *builder,
                             const struct fum_sample_params *params) {
    describe_program(builder);
    return is_continuous(builder) ? build_continuous(builder)
                                  : build_levels(builder, params->strength > 0);
}

// Checks the noise levels that the caller gave.
static enum fum_result check_given(const struct fum_sample_builder *builder) {
    const struct fum_sampler *s = builder->sampler;
    const double *sigma = builder->given;
    if (!sigma) return FUM_OK;
    if (s->space == FUM_SPACE_TIME || s->space == FUM_SPACE_CONTINUOUS)
        return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                             "sampler %s visits no noise levels that can be chosen: leave the "
                             "sigmas out, or use a sampler such as euler or dpm++2m",
                             s->name);
    for (int i = 0; i <= builder->steps; i++) {
        bool falls = i == 0 || sigma[i] < sigma[i - 1];
        if (falls && sigma[i] >= 0 && sigma[i] <= 1e6) continue;
        return fum_error_set(
            builder->err, FUM_ERR_ARG,
            "sigma %d of %d is %g: sigmas fall from one to the next, to 0 or above", i + 1,
            builder->steps + 1, sigma[i]);
    }
    return FUM_OK;
}

// Finds the first step of a run from a start image.
static enum fum_result choose_start(struct fum_sample_builder *builder, double strength) {
    if (!(strength >= 0 && strength <= 1))
        return fum_error_set(builder->err, FUM_ERR_ARG, "strength %g must be between 0 and 1",
                             strength);
    if (strength > 0 && is_continuous(builder))
        return fum_error_set(builder->err, FUM_ERR_UNSUPPORTED,
                             "sampler %s runs in continuous time and cannot start from a picture",
                             builder->sampler->name);
    if (strength > 0) builder->start = builder->steps - (int)(builder->steps * strength);
    if (builder->start < builder->steps) return FUM_OK;
    return fum_error_set(builder->err, FUM_ERR_ARG,
                         "strength %g of %d steps leaves none to take: raise either", strength,
                         builder->steps);
}

enum fum_result fum_sample_create(struct fum_sample_program **program,
                                  const struct fum_sample_params *params, struct fum_error *err) {
    struct fum_error local = {0};
    struct fum_sample_builder builder = {.c = params->config,
                                         .given = params->sigmas,
                                         .steps = params->sigmas ? params->num_sigmas - 1
                                                                 : params->steps,
                                         .invert = params->invert,
                                         .err = &local,
                                         .ays = params->ays ? params->ays : fum_ays_sd15};
    *program = NULL;
    enum fum_result result = choose_sampler(&builder, params);
    if (result) goto done;
    fill_defaults(&builder);
    result = check_config(&builder);
    if (!result) result = choose_eta(&builder, params);
    if (!result) result = choose_schedule(&builder, params);
    if (!result) result = check_given(&builder);
    if (!result) result = choose_start(&builder, params->strength);
    if (result) goto done;
    builder.noise.count = builder.c.num_train_timesteps;
    builder.program = fum_calloc(1, sizeof *builder.program);
    result = builder.program ? build(&builder, params)
                             : fum_error_set(&local, FUM_ERR_NOMEM, "no memory for a sampler");
done:
    if (result) {
        fum_sample_destroy(&builder.program);
        fum_error_set(err, result, "%s", local.text);
    }
    fum_noise_schedule_free(&builder.noise);
    fum_free(builder.t);
    fum_free(builder.sigma);
    fum_free(builder.exact);
    *program = builder.program;
    return result;
}
