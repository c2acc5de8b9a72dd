// SPDX-License-Identifier: MIT
// Lists the samplers and schedules, and finds them by name and by diffusers' class.
#include "base/macros.h"
#include "sample/builder.h"

#include <string.h>

static const struct fum_sampler samplers[] = {
#define FUM_SAMPLER(file, function, ...) {fum_build_##function, __VA_ARGS__},
#include "sample/samplers.def"
#undef FUM_SAMPLER
};

// Replaces samplers of training timesteps on EDM's noise levels, where their steps are Euler's.
// DDIM's noise is eta times the ancestral noise, and DDPM's is all of it.
static const struct fum_sampler edm_samplers[] = {
    {fum_build_euler_a, "ddim", "DDIM", "DDIMScheduler", FUM_SPACE_SIGMA, .takes_eta = true},
    {fum_build_euler_a, "ddpm", "DDPM", "DDPMScheduler", FUM_SPACE_SIGMA, .eta = 1},
};

// Classes that run a sampler of the table on EDM's noise levels.
static const struct {
    const char *class_name, *sampler;
} edm_classes[] = {
    {"EDMEulerScheduler", "euler"},
    {"EDMDPMSolverMultistepScheduler", "dpm++2m"},
};

static const struct {
    const char *name, *label;
} schedules[FUM_SCHEDULE_COUNT] = {
#define FUM_SCHEDULE(place, name, label) {name, label},
#include "sample/schedules.def"
#undef FUM_SCHEDULE
};

enum { SAMPLER_COUNT = FUM_COUNT(samplers) };

const char *fum_sampler_name(size_t index) {
    return index < SAMPLER_COUNT ? samplers[index].name : NULL;
}

const char *fum_schedule_name(size_t index) {
    return index < FUM_SCHEDULE_COUNT ? schedules[index].name : NULL;
}

const char *fum_sampler_label(size_t index) {
    return index < SAMPLER_COUNT ? samplers[index].label : NULL;
}

const char *fum_schedule_label(size_t index) {
    return index < FUM_SCHEDULE_COUNT ? schedules[index].label : NULL;
}

const struct fum_sampler *fum_sampler_find(const char *name) {
    for (size_t i = 0; i < SAMPLER_COUNT; i++) {
        if (strcmp(samplers[i].name, name) == 0) return &samplers[i];
    }
    return NULL;
}

const struct fum_sampler *fum_sampler_find_edm(const char *name) {
    for (size_t i = 0; i < FUM_COUNT(edm_samplers); i++)
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
    if (sampler->space == FUM_SPACE_CONTINUOUS) return false;
    return sampler->space != FUM_SPACE_TIME || schedule == FUM_SCHEDULE_DISCRETE;
}

bool fum_sampler_accepts(const char *sampler, const char *schedule) {
    if (!sampler || !schedule) return false;
    const struct fum_sampler *s = fum_sampler_find(sampler);
    int k = fum_schedule_find(schedule);
    return s && k >= 0 && fum_sampler_runs_on(s, k);
}

bool fum_sampler_is_plus(const char *name) {
    const struct fum_sampler *s = name ? fum_sampler_find(name) : NULL;
    return s && s->plus;
}

bool fum_sample_config_edm(const struct fum_sample_config *c) {
    for (size_t i = 0; i < FUM_COUNT(edm_classes); i++)
        if (strcmp(edm_classes[i].class_name, c->class_name) == 0) return true;
    return false;
}

int fum_sample_config_order(const struct fum_sample_config *c) {
    return c->solver_order ? c->solver_order : 2;
}

static bool adds_noise(const struct fum_sample_config *c) {
    return strncmp(c->algorithm_type, "sde-", 4) == 0;
}

static bool is_of_class(const struct fum_sampler *sampler, const char *class_name) {
    return sampler->class_name && strcmp(sampler->class_name, class_name) == 0;
}

const struct fum_sampler *fum_sampler_of_class(const struct fum_sample_config *c) {
    const struct fum_sampler *found = c->class_name[0] ? NULL : fum_sampler_find("euler");
    for (size_t i = 0; i < FUM_COUNT(edm_classes); i++)
        if (strcmp(edm_classes[i].class_name, c->class_name) == 0)
            found = fum_sampler_find(edm_classes[i].sampler);
    for (size_t i = 0; i < SAMPLER_COUNT && !found; i++)
        if (is_of_class(&samplers[i], c->class_name)) found = &samplers[i];
    if (!found || !found->order) return found;
    // one of the class's records, by order and noise; the settings keep their own order
    const struct fum_sampler *nearest = NULL;
    for (size_t i = 0; i < SAMPLER_COUNT; i++) {
        if (!is_of_class(&samplers[i], found->class_name) || samplers[i].sde != adds_noise(c) ||
            samplers[i].heun) // the settings say which solver_type
            continue;
        if (!nearest || samplers[i].order == fum_sample_config_order(c)) nearest = &samplers[i];
    }
    return nearest;
}

bool fum_sample_config_continuous(const struct fum_sample_config *config) {
    const struct fum_sampler *sampler = fum_sampler_of_class(config);
    return sampler && sampler->space == FUM_SPACE_CONTINUOUS;
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
