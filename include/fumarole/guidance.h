// SPDX-License-Identifier: MIT
// Names what changes how the prompt guides a picture.
#ifndef FUMAROLE_GUIDANCE_H
#define FUMAROLE_GUIDANCE_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

// All zero is plain classifier-free guidance. Methods add up, but for those that skip parts of the
// model, of which a request has one.
struct fum_guidance_params {
    // Share of the guided prediction that gets the deviation of the one with the prompt, 0 to 1
    // (Lin et al. 2024, "Common Diffusion Noise Schedules and Sample Steps are Flawed").
    float rescale;
    // Shares of the steps between which the prompt is guided (Kynkäänniemi et al. 2024). Both 0:
    // all.
    float begin, end;
    // CFG++ (Chung et al. 2024): steps move along the prediction without the prompt. It
    // works with euler, euler_a and ddim. The samplers euler_cfg_pp and euler_a_cfg_pp have it by
    // themselves.
    bool plus;
    // Adaptive projected guidance (Sadat et al. 2024): what guides is summed up with this momentum,
    // limited to this norm (0: not), and its part along the prediction is multiplied by eta.
    bool projected;
    float apg_eta, apg_momentum, apg_norm;
    // Dynamic thresholding: each channel of the guided prediction gets the range that this scale
    // would give it. 0: none. The range is that of a quantile of its magnitudes, 0 to 1.
    float mimic_scale, mimic_percentile;
    // Perturbed-attention guidance (Ahn et al. 2024): the scale, 0: none, and the layers whose
    // self-attention passes its values on, as in diffusers' pag_applied_layers: "mid",
    // "down.block_2", "up_blocks.1.attentions.0", several separated by ",". NULL: "mid".
    float pag_scale;
    const char *pag_layers;
    // Skip-layer guidance: the scale, 0: none, the transformer blocks that are skipped, as above or
    // by numbers from 0 in their order. NULL: "7,8,9". Shares of the steps; both 0: 0.01 and 0.2.
    float slg_scale;
    const char *slg_layers;
    float slg_begin, slg_end;
};

#ifdef __cplusplus
}
#endif

#endif
