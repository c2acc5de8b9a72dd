// SPDX-License-Identifier: MIT
// Lays out a row of sampler coefficients: what src/sample writes and the ops of the sampling loop
// read. A sampler keeps K tensors, history[0] … history[K - 1]. A row holds the numbers below, then
// a matrix of K rows by K + 3 columns: the weights of history[0 … K - 1], of the denoised
// prediction, of the noise, and of the prediction before its clamp.
#ifndef FUM_BASE_SAMPLER_ROW_H
#define FUM_BASE_SAMPLER_ROW_H

enum {
    FUM_COEF_INPUT,    // c_in, the factor of the model's input
    FUM_COEF_GUIDANCE, // weight of the prompt against the negative prompt
    FUM_COEF_A,        // prediction = a * history[0] + b * model output
    FUM_COEF_B,
    FUM_COEF_CLIP,  // bound of the prediction; 0: not clamped
    FUM_COEF_NOISE, // row of the noise tensor; -1: none
    FUM_COEF_MATRIX,
    FUM_SAMPLER_MAX_HISTORY = 8, // largest K
};

#endif
