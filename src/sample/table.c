// The samplers, and the way from settings to a program.
#include "sample/plan.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

#define OLD_BETAS .beta_start = 0.00085, .beta_end = 0.012
#define LEADING   .timestep_spacing = FUM_SPACING_LEADING

static const struct fum_sampler samplers[] = {
    {"ddpm", "DDPMScheduler", FUM_SPACE_TIME, fum_build_ddpm,
     .defaults = {LEADING, .clip_sample = FUM_SWITCH_ON}, .rescales = true},
    {"ddim", "DDIMScheduler", FUM_SPACE_TIME, fum_build_ddim,
     .defaults = {LEADING, .clip_sample = FUM_SWITCH_ON, .set_alpha_to_one = FUM_SWITCH_ON},
     .rescales = true},
    {"pndm", "PNDMScheduler", FUM_SPACE_TIME, fum_build_pndm, .defaults = {LEADING}},
    {"lms", "LMSDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_lms, .flags = true},
    {"euler", "EulerDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_euler, .rescales = true, .flags = true,
     .sigma_ends = true},
    {"euler_a", "EulerAncestralDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_euler_a, .rescales = true},
    {"heun", "HeunDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_heun, .defaults = {OLD_BETAS},
     .flags = true},
    {"dpm2", "KDPM2DiscreteScheduler", FUM_SPACE_SIGMA, fum_build_dpm2, .defaults = {OLD_BETAS},
     .flags = true, .rounds_karras = true},
    {"dpm2_a", "KDPM2AncestralDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_dpm2_a, .defaults = {OLD_BETAS},
     .flags = true, .rounds_karras = true},
    {"dpm++2s_a", NULL, FUM_SPACE_SIGMA, fum_build_dpmpp_2s_a, .defaults = {OLD_BETAS}, .flags = true},
    {"dpm++2m", "DPMSolverMultistepScheduler", FUM_SPACE_VP, fum_build_dpmpp_multi, .rescales = true,
     .flags = true, .rounds_karras = true, .order = 2},
    {"dpm++2m_sde", "DPMSolverMultistepScheduler", FUM_SPACE_VP, fum_build_dpmpp_multi, .rescales = true,
     .flags = true, .rounds_karras = true, .order = 2, .sde = true},
    {"dpm++3m_sde", "DPMSolverMultistepScheduler", FUM_SPACE_VP, fum_build_dpmpp_multi, .rescales = true,
     .flags = true, .rounds_karras = true, .order = 3, .sde = true},
    {"dpm++sde", "DPMSolverSDEScheduler", FUM_SPACE_SIGMA, fum_build_dpmpp_sde, .defaults = {OLD_BETAS},
     .flags = true, .precise_times = true},
    {"unipc", "UniPCMultistepScheduler", FUM_SPACE_VP, fum_build_unipc, .rescales = true, .flags = true,
     .sigma_ends = true, .rounds_karras = true},
    {"lcm", "LCMScheduler", FUM_SPACE_TIME, fum_build_lcm,
     .defaults = {OLD_BETAS, .beta_schedule = FUM_BETAS_SCALED_LINEAR, .set_alpha_to_one = FUM_SWITCH_ON,
                  LEADING},
     .rescales = true},
};

static const char *const schedules[FUM_SCHEDULE_COUNT] = {
    "discrete", "karras", "exponential", "sgm_uniform", "simple", "beta", "ays", "kl_optimal",
};

enum { SAMPLER_COUNT = sizeof samplers / sizeof *samplers };

const char *fum_sampler_name(size_t index) {
    return index < SAMPLER_COUNT ? samplers[index].name : NULL;
}

const char *fum_schedule_name(size_t index) {
    return index < FUM_SCHEDULE_COUNT ? schedules[index] : NULL;
}

const struct fum_sampler *fum_sampler_find(const char *name) {
    for (size_t i = 0; i < SAMPLER_COUNT; i++) {
        if (strcmp(samplers[i].name, name) == 0) return &samplers[i];
    }
    return NULL;
}

static int schedule_find(const char *name) {
    for (int i = 0; i < FUM_SCHEDULE_COUNT; i++) {
        if (strcmp(schedules[i], name) == 0) return i;
    }
    return -1;
}

static bool accepts(const struct fum_sampler *sampler, int schedule) {
    return sampler->space != FUM_SPACE_TIME || schedule == FUM_SCHEDULE_DISCRETE;
}

bool fum_sampler_accepts(const char *sampler, const char *schedule) {
    const struct fum_sampler *s = fum_sampler_find(sampler);
    int k = schedule_find(schedule);
    return s && k >= 0 && accepts(s, k);
}

// The sampler asked for, or the one that stands for the settings' class.
static enum fum_result choose_sampler(struct fum_sample_plan *plan, const struct fum_sample_params *params) {
    const char *class_name = params->config.class_name;
    if (params->sampler) {
        plan->sampler = fum_sampler_find(params->sampler);
        if (!plan->sampler)
            return fum_error_set(plan->err, FUM_ERR_ARG,
                                 "there is no sampler \"%.40s\": try euler, euler_a, ddim, "
                                 "dpm++2m, unipc, …",
                                 params->sampler);
        plan->order = plan->sampler->order ? plan->sampler->order : plan->c.solver_order;
        plan->sde = plan->sampler->sde;
        return FUM_OK;
    }
    for (size_t i = 0; i < SAMPLER_COUNT && class_name[0] && !plan->sampler; i++) {
        if (samplers[i].class_name && strcmp(samplers[i].class_name, class_name) == 0)
            plan->sampler = &samplers[i];
    }
    if (class_name[0] && !plan->sampler)
        return fum_error_set(plan->err, FUM_ERR_UNSUPPORTED,
                             "the model's scheduler class %s is not known here: name a "
                             "sampler, for instance euler or dpm++2m",
                             class_name);
    if (!plan->sampler) plan->sampler = fum_sampler_find("euler");
    plan->order = plan->c.solver_order; // the model's own settings decide
    plan->sde = strncmp(plan->c.algorithm_type, "sde-", 4) == 0;
    const char *algorithm = plan->c.algorithm_type;
    if (plan->sampler->order &&
        (strcmp(algorithm, "dpmsolver") == 0 || strcmp(algorithm, "sde-dpmsolver") == 0))
        return fum_error_set(plan->err, FUM_ERR_UNSUPPORTED,
                             "the model's algorithm_type %s is not supported: name "
                             "sampler dpm++2m or dpm++2m_sde",
                             algorithm);
    for (size_t i = 0; i < SAMPLER_COUNT && plan->sampler->order; i++) { // the nearest name of that family
        if (samplers[i].order == plan->order && samplers[i].sde == plan->sde) plan->sampler = &samplers[i];
    }
    return FUM_OK;
}

static enum fum_result choose_schedule(struct fum_sample_plan *plan, const struct fum_sample_params *params) {
    const struct fum_sample_config *c = &plan->c;
    int chosen = FUM_SCHEDULE_DISCRETE;
    if (params->schedule) {
        chosen = schedule_find(params->schedule);
    } else if (plan->sampler->flags) {
        chosen = c->use_karras_sigmas == FUM_SWITCH_ON        ? FUM_SCHEDULE_KARRAS
                 : c->use_exponential_sigmas == FUM_SWITCH_ON ? FUM_SCHEDULE_EXPONENTIAL
                 : c->use_beta_sigmas == FUM_SWITCH_ON        ? FUM_SCHEDULE_BETA
                                                              : FUM_SCHEDULE_DISCRETE;
    }
    if (chosen < 0)
        return fum_error_set(plan->err, FUM_ERR_ARG,
                             "there is no schedule \"%.40s\": try discrete, karras, exponential, "
                             "sgm_uniform, simple, beta, ays or kl_optimal",
                             params->schedule);
    plan->schedule = (enum fum_schedule)chosen;
    if (!accepts(plan->sampler, chosen))
        return fum_error_set(plan->err, FUM_ERR_UNSUPPORTED,
                             "sampler %s visits whole training timesteps and has no %s "
                             "schedule: use schedule discrete, or a sampler such as euler or dpm++2m",
                             plan->sampler->name, schedules[chosen]);
    return FUM_OK;
}

#define SET_WHOLE(field, otherwise) c->field = c->field ? c->field : d->field ? d->field : (otherwise)
#define SET_REAL(field, otherwise)                                                                           \
    c->field = !isnan(c->field) ? c->field : d->field != 0 ? d->field : (otherwise)
#define SET_TEXT(field, otherwise)                                                                           \
    do {                                                                                                     \
        if (!c->field[0]) memcpy(c->field, otherwise, sizeof otherwise);                                     \
    } while (0)

// Gives every unset setting the default of the sampler's class.
static void fill_defaults(struct fum_sample_plan *plan) {
    struct fum_sample_config *c = &plan->c;
    const struct fum_sample_config *d = &plan->sampler->defaults;
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
    SET_TEXT(variance_type, "fixed_small");
    SET_WHOLE(skip_prk_steps, FUM_SWITCH_OFF);
    SET_WHOLE(solver_order, 2);
    SET_TEXT(algorithm_type, "dpmsolver++");
    SET_TEXT(solver_type, "");
    SET_WHOLE(lower_order_final, FUM_SWITCH_ON);
    SET_WHOLE(euler_at_final, FUM_SWITCH_OFF);
    SET_TEXT(final_sigmas_type, "zero");
    SET_WHOLE(original_inference_steps, 50);
    SET_REAL(timestep_scaling, 10);
    // What diffusers does with the solver_type of another family: it takes its own default.
    bool unipc = plan->sampler->build == fum_build_unipc;
    if (unipc && strcmp(c->solver_type, "bh1") != 0) memcpy(c->solver_type, "bh2", sizeof "bh2");
    if (!unipc && strcmp(c->solver_type, "heun") != 0) memcpy(c->solver_type, "midpoint", sizeof "midpoint");
}

static enum fum_result check_config(struct fum_sample_plan *plan) {
    const struct fum_sample_config *c = &plan->c;
    const char *name = plan->sampler->name;
    if (c->num_train_timesteps < 1 || c->num_train_timesteps > FUM_SAMPLE_MAX_TRAIN)
        return fum_error_set(plan->err, FUM_ERR_ARG, "num_train_timesteps is %d; it must be 1 to %d",
                             c->num_train_timesteps, FUM_SAMPLE_MAX_TRAIN);
    if (plan->steps < 1 || plan->steps > c->num_train_timesteps)
        return fum_error_set(plan->err, FUM_ERR_ARG, "sampler %s cannot take %d steps: use 1 to %d", name,
                             plan->steps, c->num_train_timesteps);
    bool real =
        c->beta_schedule == FUM_BETAS_SQUAREDCOS || (c->beta_start > 0 && c->beta_end < 1 && c->beta_end > 0);
    if (!real || !(c->clip_sample_range > 0))
        return fum_error_set(plan->err, FUM_ERR_ARG,
                             "the scheduler's beta_start %g, beta_end %g or clip_sample_range %g "
                             "is out of range",
                             c->beta_start, c->beta_end, c->clip_sample_range);
    if (plan->order < 1 || plan->order > 3)
        return fum_error_set(plan->err, FUM_ERR_UNSUPPORTED,
                             "solver_order %d is not supported by sampler %s: use 1 to 3", plan->order, name);
    return FUM_OK;
}

// Where slot 0 starts, for the spaces in which that follows from the schedule; time-space builders do it
// themselves.
static void set_start(struct fum_sample_plan *plan, bool image) {
    struct fum_sample_program *p = plan->program;
    double sigma = plan->sigma[plan->start];
    p->init_scale = p->image_scale = 1;
    if (plan->sampler->space == FUM_SPACE_SIGMA) {
        double most = sigma;
        for (int i = 0; i < plan->steps; i++) most = fmax(most, plan->sigma[i]);
        bool leading = plan->c.timestep_spacing == FUM_SPACING_LEADING;
        p->init_scale = image ? sigma : leading ? sqrt(most * most + 1) : most;
    } else if (plan->sampler->space == FUM_SPACE_VP && image) {
        p->image_scale = 1 / sqrt(sigma * sigma + 1);
        p->init_scale = sigma * p->image_scale;
    }
    if (!image) p->image_scale = 0;
}

// A coefficient that is not finite means that the combination has no meaning at some timestep.
static enum fum_result check_finite(struct fum_sample_plan *plan) {
    const struct fum_sample_program *p = plan->program;
    bool good = isfinite(p->init_scale) && isfinite(p->image_scale);
    for (int e = 0; e < p->evals; e++) {
        const struct fum_sample_eval *ev = &p->eval[e];
        good = good && isfinite(ev->timestep) && isfinite(ev->c_in) && isfinite(ev->a) && isfinite(ev->b);
        for (int k = 0; k < p->slots; k++) {
            for (int j = 0; j < FUM_SAMPLE_INPUTS; j++) good = good && isfinite(ev->m[k][j]);
        }
    }
    if (good) return FUM_OK;
    return fum_error_set(
        plan->err, FUM_ERR_UNSUPPORTED,
        "sampler %s has no finite update on this schedule (%s, %d "
        "steps): a model with zero terminal SNR needs v prediction, and two steps must not share a timestep",
        plan->sampler->name, schedules[plan->schedule], plan->steps);
}

static enum fum_result build(struct fum_sample_plan *plan, const struct fum_sample_params *params) {
    struct fum_sample_program *p = plan->program;
    bool image = params->strength > 0;
    if (!fum_plan_train(plan) || !fum_plan_schedule(plan)) return FUM_ERR_NOMEM;
    if (plan->sampler->space != FUM_SPACE_TIME) {
        bool last_min = strcmp(plan->c.final_sigmas_type, "sigma_min") == 0;
        bool knows = plan->sampler->space == FUM_SPACE_VP || plan->sampler->build == fum_build_euler;
        bool curve = plan->sampler->build == fum_build_unipc && plan->schedule != FUM_SCHEDULE_DISCRETE;
        if (last_min && knows)
            plan->sigma[plan->steps] = curve ? plan->sigma[plan->steps - 1] : plan->train_sigma[0];
    }
    p->sampler = plan->sampler->name;
    p->schedule = schedules[plan->schedule];
    set_start(plan, image);
    if (!plan->sampler->build(plan))
        return plan->err && plan->err->code ? plan->err->code : FUM_ERR_UNSUPPORTED;
    if (plan->sampler->space != FUM_SPACE_TIME) {
        p->sigma_count = plan->steps + 1;
        p->sigmas = plan->sigma;
        plan->sigma = NULL;
    }
    for (int k = 0; k < p->slots; k++) { // nothing but slot 0 holds anything before the first evaluation
        for (int j = 1; j < FUM_MAX_SLOTS; j++) p->eval[0].m[k][j] = 0;
    }
    return check_finite(plan);
}

enum fum_result fum_sample_create(struct fum_sample_program **program, const struct fum_sample_params *params,
                                  struct fum_error *err) {
    struct fum_error local = {0};
    struct fum_sample_plan plan = {
        .c = params->config, .steps = params->steps, .err = &local, .sdxl = params->sdxl};
    *program = NULL;
    plan.eta = isnan(params->eta) ? 0 : params->eta;
    enum fum_result result = FUM_OK;
    if (!plan.c.solver_order) plan.c.solver_order = 2;
    result = choose_sampler(&plan, params);
    if (result != FUM_OK) goto out;
    fill_defaults(&plan);
    result = check_config(&plan);
    if (result == FUM_OK) result = choose_schedule(&plan, params);
    if (result != FUM_OK) goto out;
    plan.train = plan.c.num_train_timesteps;
    if (!(params->strength >= 0 && params->strength <= 1) || !(plan.eta >= 0 && plan.eta <= 1)) {
        result = fum_error_set(&local, FUM_ERR_ARG, "strength %g and eta %g must be between 0 and 1",
                               params->strength, plan.eta);
        goto out;
    }
    if (params->strength > 0) plan.start = plan.steps - (int)(plan.steps * params->strength);
    if (plan.start >= plan.steps) {
        result =
            fum_error_set(&local, FUM_ERR_ARG, "strength %g of %d steps leaves none to take: raise either",
                          params->strength, plan.steps);
        goto out;
    }
    plan.program = fum_calloc(1, sizeof *plan.program);
    result =
        plan.program ? build(&plan, params) : fum_error_set(&local, FUM_ERR_NOMEM, "no memory for a sampler");
out:
    if (result != FUM_OK) {
        fum_sample_destroy(&plan.program);
        fum_error_set(err, result, "%s", local.text);
    }
    fum_free(plan.alpha_bar);
    fum_free(plan.train_sigma);
    fum_free(plan.log_sigma);
    fum_free(plan.t);
    fum_free(plan.sigma);
    fum_free(plan.exact);
    *program = plan.program;
    return result;
}
