// SPDX-License-Identifier: MIT
// Lists the samplers and schedules, and finds them by name and by diffusers' class.
#include "sample/plan.h"

#include <string.h>

#define OLD_BETAS .beta_start = 0.00085, .beta_end = 0.012
#define LEADING   .timestep_spacing = FUM_SPACING_LEADING
#define ANCESTRAL .takes_eta = true, .eta = 1
#define MULTISTEP                                                       \
    "DPMSolverMultistepScheduler", FUM_SPACE_VP, fum_build_dpmpp_multi, \
        .rescales = true, .flags = true, .final_sigma = true, .rounds_karras = true

static const struct fum_sampler samplers[] = {
    {"ddpm", "DDPM", "DDPMScheduler", FUM_SPACE_TIME, fum_build_ddpm,
     .defaults = {LEADING, .clip_sample = FUM_SWITCH_ON}, .rescales = true},
    {"ddim", "DDIM", "DDIMScheduler", FUM_SPACE_TIME, fum_build_ddim,
     .defaults = {LEADING, .clip_sample = FUM_SWITCH_ON, .set_alpha_to_one = FUM_SWITCH_ON},
     .rescales = true, .takes_eta = true},
    {"pndm", "PLMS", "PNDMScheduler", FUM_SPACE_TIME, fum_build_pndm, .defaults = {LEADING}},
    {"lms", "LMS", "LMSDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_lms, .flags = true},
    {"euler", "Euler", "EulerDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_euler, .rescales = true,
     .flags = true, .sigma_ends = true, .final_sigma = true},
    {"euler_a", "Euler a", "EulerAncestralDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_euler_a,
     .rescales = true, ANCESTRAL},
    {"heun", "Heun", "HeunDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_heun,
     .defaults = {OLD_BETAS}, .flags = true},
    {"dpm2", "DPM2", "KDPM2DiscreteScheduler", FUM_SPACE_SIGMA, fum_build_dpm2,
     .defaults = {OLD_BETAS}, .flags = true, .rounds_karras = true},
    {"dpm2_a", "DPM2 a", "KDPM2AncestralDiscreteScheduler", FUM_SPACE_SIGMA, fum_build_dpm2_a,
     .defaults = {OLD_BETAS}, .flags = true, .rounds_karras = true, ANCESTRAL},
    {"dpm++2s_a", "DPM++ 2S a", NULL, FUM_SPACE_SIGMA, fum_build_dpmpp_2s_a,
     .defaults = {OLD_BETAS}, .flags = true, ANCESTRAL},
    {"dpm++2m", "DPM++ 2M", MULTISTEP, .order = 2},
    {"dpm++2m_sde", "DPM++ 2M SDE", MULTISTEP, .order = 2, .sde = true, ANCESTRAL},
    {"dpm++3m_sde", "DPM++ 3M SDE", MULTISTEP, .order = 3, .sde = true, ANCESTRAL},
    {"dpm++sde", "DPM++ SDE", "DPMSolverSDEScheduler", FUM_SPACE_SIGMA, fum_build_dpmpp_sde,
     .defaults = {OLD_BETAS}, .flags = true, .precise_times = true, ANCESTRAL},
    {"unipc", "UniPC", "UniPCMultistepScheduler", FUM_SPACE_VP, fum_build_unipc, .rescales = true,
     .flags = true, .sigma_ends = true, .final_sigma = true, .final_repeats = true,
     .rounds_karras = true},
    {"lcm", "LCM", "LCMScheduler", FUM_SPACE_TIME, fum_build_lcm,
     .defaults = {OLD_BETAS, .beta_schedule = FUM_BETAS_SCALED_LINEAR,
                  .set_alpha_to_one = FUM_SWITCH_ON, LEADING},
     .rescales = true},
};

// Replaces samplers of training timesteps on EDM's noise levels, where the same steps are Euler's:
// DDIM's noise is eta times the ancestral one, and DDPM's is all of it.
static const struct fum_sampler edm_samplers[] = {
    {"ddim", "DDIM", "DDIMScheduler", FUM_SPACE_SIGMA, fum_build_euler_a, .takes_eta = true},
    {"ddpm", "DDPM", "DDPMScheduler", FUM_SPACE_SIGMA, fum_build_euler_a, .eta = 1},
};

// Classes that run a sampler of the table on EDM's noise levels.
static const struct {
    const char *class_name, *sampler;
} edm_classes[] = {
    {"EDMEulerScheduler", "euler"},
    {"EDMDPMSolverMultistepScheduler", "dpm++2m"},
};

// The schedules: our names, and A1111's. Its "Uniform" is the plain one, even in training
// timesteps.
static const struct {
    const char *name, *label;
} schedules[FUM_SCHEDULE_COUNT] = {
    {"discrete", "Uniform"},        {"karras", "Karras"},         {"exponential", "Exponential"},
    {"sgm_uniform", "SGM Uniform"}, {"simple", "Simple"},         {"beta", "Beta"},
    {"ays", "Align Your Steps"},    {"kl_optimal", "KL Optimal"},
};

enum { SAMPLER_COUNT = sizeof samplers / sizeof *samplers };

const char *fum_sampler_name(size_t index) {
    return index < SAMPLER_COUNT ? samplers[index].name : NULL;
}

const char *fum_schedule_name(size_t index) {
    return index < FUM_SCHEDULE_COUNT ? schedules[index].name : NULL;
}

const struct fum_sampler *fum_sampler_find(const char *name) {
    for (size_t i = 0; i < SAMPLER_COUNT; i++) {
        if (strcmp(samplers[i].name, name) == 0) return &samplers[i];
    }
    return NULL;
}

const char *fum_schedule_label(enum fum_schedule schedule) {
    return schedules[schedule].label;
}

const struct fum_sampler *fum_sampler_find_edm(const char *name) {
    for (size_t i = 0; i < sizeof edm_samplers / sizeof *edm_samplers; i++)
        if (strcmp(edm_samplers[i].name, name) == 0) return &edm_samplers[i];
    return fum_sampler_find(name);
}

int fum_schedule_find(const char *name) {
    for (int i = 0; i < FUM_SCHEDULE_COUNT; i++) {
        if (strcmp(schedules[i].name, name) == 0) return i;
    }
    return -1;
}

bool fum_sampler_runs_on(const struct fum_sampler *sampler, int schedule) {
    return sampler->space != FUM_SPACE_TIME || schedule == FUM_SCHEDULE_DISCRETE;
}

bool fum_sampler_accepts(const char *sampler, const char *schedule) {
    const struct fum_sampler *s = fum_sampler_find(sampler);
    int k = fum_schedule_find(schedule);
    return s && k >= 0 && fum_sampler_runs_on(s, k);
}

bool fum_sample_config_edm(const struct fum_sample_config *c) {
    for (size_t i = 0; i < sizeof edm_classes / sizeof *edm_classes; i++)
        if (strcmp(edm_classes[i].class_name, c->class_name) == 0) return true;
    return false;
}

int fum_sample_config_order(const struct fum_sample_config *c) {
    return c->solver_order ? c->solver_order : 2;
}

static bool adds_noise(const struct fum_sample_config *c) {
    return strncmp(c->algorithm_type, "sde-", 4) == 0;
}

const struct fum_sampler *fum_sampler_of_class(const struct fum_sample_config *c) {
    const struct fum_sampler *found = c->class_name[0] ? NULL : fum_sampler_find("euler");
    for (size_t i = 0; i < sizeof edm_classes / sizeof *edm_classes; i++)
        if (strcmp(edm_classes[i].class_name, c->class_name) == 0)
            found = fum_sampler_find(edm_classes[i].sampler);
    for (size_t i = 0; i < SAMPLER_COUNT && !found; i++)
        if (samplers[i].class_name && strcmp(samplers[i].class_name, c->class_name) == 0)
            found = &samplers[i];
    if (!found || !found->order) return found;
    // record of the dpm++ family; the settings keep their own order
    const struct fum_sampler *nearest = NULL;
    for (size_t i = 0; i < SAMPLER_COUNT; i++) {
        if (!samplers[i].order || samplers[i].sde != adds_noise(c)) continue;
        if (!nearest || samplers[i].order == fum_sample_config_order(c)) nearest = &samplers[i];
    }
    return nearest;
}

const char *fum_sample_config_sampler(const struct fum_sample_config *config) {
    const struct fum_sampler *sampler = fum_sampler_of_class(config);
    return sampler ? sampler->name : NULL;
}

bool fum_sample_config_clips(const struct fum_sample_config *config) {
    const struct fum_sampler *sampler = fum_sampler_of_class(config);
    if (config->clip_sample) return config->clip_sample == FUM_SWITCH_ON;
    return sampler && sampler->defaults.clip_sample == FUM_SWITCH_ON;
}
