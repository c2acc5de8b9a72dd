// SPDX-License-Identifier: MIT
// Lays out a row of sampler coefficients: what src/sample writes and the ops of the sampling loop
// read, in C and in GLSL. A sampler keeps K tensors, history[0] … history[K - 1]. A row holds the
// numbers below, then a matrix of K rows by K + 3 columns: the weights of history[0 … K - 1], of
// the denoised prediction, of the noise, and of the prediction before its clamp.
#ifndef FUM_BASE_SAMPLER_ROW_H
#define FUM_BASE_SAMPLER_ROW_H

// Macros, since GLSL has no enumerations.
#define FUM_COEF_INPUT    0 // c_in, the factor of the model's input
#define FUM_COEF_GUIDANCE 1 // weight of the prompt against the negative prompt
#define FUM_COEF_A        2 // prediction = a * history[0] + b * model output
#define FUM_COEF_B        3
#define FUM_COEF_CLIP     4 // bound of the prediction; 0: not clamped
#define FUM_COEF_NOISE    5 // row of the noise tensor; -1: none
#define FUM_COEF_MATRIX   6 // the first number of the matrix

// Columns of the matrix after those of the K tensors, as in K + FUM_COLUMN_NOISE.
#define FUM_COLUMN_PREDICTION 0
#define FUM_COLUMN_NOISE      1
#define FUM_COLUMN_UNCLAMPED  2
#define FUM_COLUMNS_MORE      3 // number of these columns

#define FUM_SAMPLER_MAX_HISTORY 8 // largest K

#endif
