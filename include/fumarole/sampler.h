// SPDX-License-Identifier: MIT
// Names the samplers, noise schedules, predictions and spacings, for menus and for checking what a
// user typed.
#ifndef FUMAROLE_SAMPLER_H
#define FUMAROLE_SAMPLER_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

// Random number generators that a seed may stand for.
enum fum_rng_kind {
    FUM_RNG_CUDA = 0, // torch's on CUDA devices, as A1111's "NV" and sd.cpp's "cuda": Philox4x32-10
    FUM_RNG_CPU,      // torch's on the CPU: mt19937
};

// The largest `eta`: the share of the noise of a sampler's stochastic form that is added back.
#define FUM_MAX_ETA 1.0

// Returns the index-th sampler name ("ddim", "euler_a", "dpm++2m", …) or schedule name ("discrete",
// "karras", …), or NULL past the last. The strings are constants.
FUM_API const char *fum_sampler_name(size_t index);
FUM_API const char *fum_schedule_name(size_t index);
// Returns A1111's name of the same sampler or schedule ("Euler a", "SGM Uniform", …), or NULL past
// the last.
FUM_API const char *fum_sampler_label(size_t index);
FUM_API const char *fum_schedule_label(size_t index);

// Returns diffusers' name of the index-th value that a UNet may predict ("epsilon", …), or NULL
// past the last. The second does the same for spacings of timesteps ("leading", …).
FUM_API const char *fum_prediction_name(size_t index);
FUM_API const char *fum_spacing_name(size_t index);
// Returns diffusers' name of the index-th schedule of betas ("linear", …), or NULL past the last.
FUM_API const char *fum_beta_schedule_name(size_t index);

// True if the sampler can run on the schedule. False if either name is unknown.
FUM_API bool fum_sampler_accepts(const char *sampler, const char *schedule);

#ifdef __cplusplus
}
#endif

#endif
