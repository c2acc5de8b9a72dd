// SPDX-License-Identifier: MIT
// Names of the samplers, noise schedules, predictions and spacings, for menus and for checking what
// a user typed.
#ifndef FUMAROLE_SAMPLER_H
#define FUMAROLE_SAMPLER_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

// Whose random numbers a seed stands for.
enum fum_rng_kind {
    FUM_RNG_CUDA = 0, // torch's on CUDA devices, as A1111's "NV" and sd.cpp's "cuda": Philox4x32-10
    FUM_RNG_CPU,      // torch's on the CPU: mt19937
};

// The largest `eta`: the noise that is added back, as a share of what the sampler's stochastic form
// adds.
#define FUM_MAX_ETA 1.0

// The index-th sampler name ("ddim", "euler_a", "dpm++2m", …) or schedule name ("discrete",
// "karras", …); NULL past the last. The strings are constants.
FUM_API const char *fum_sampler_name(size_t index);
FUM_API const char *fum_schedule_name(size_t index);
// Returns A1111's name of the same sampler or schedule ("Euler a", "SGM Uniform", …); NULL past the
// last.
FUM_API const char *fum_sampler_label(size_t index);
FUM_API const char *fum_schedule_label(size_t index);

// Returns diffusers' word for the index-th value that a UNet may predict ("epsilon", …), or for the
// index-th spacing of timesteps ("leading", …); NULL past the last. The strings are constants.
FUM_API const char *fum_prediction_name(size_t index);
FUM_API const char *fum_spacing_name(size_t index);

// Whether the sampler can run on the schedule. False when either name is unknown.
FUM_API bool fum_sampler_accepts(const char *sampler, const char *schedule);

#ifdef __cplusplus
}
#endif

#endif
