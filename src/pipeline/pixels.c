// SPDX-License-Identifier: MIT
// Rounds values to the bytes of a picture, and orders them.
#include "pipeline/pipeline.h"

#include <math.h>

static uint8_t round_unit(float v) {
    if (v > 1) v = 1;
    if (v < 0) v = 0;
    return (uint8_t)nearbyintf(v * 255);
}

void fum_pixels_to_bytes(const float *values, uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++) pixels[i] = round_unit(values[i] / 2 + 0.5f);
}

void fum_unit_pixels_to_bytes(const float *values, uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++) pixels[i] = round_unit(values[i]);
}

void fum_pixels_to_planes(const float *values, float *planes, size_t pixels, size_t channels) {
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < pixels; p++) planes[c * pixels + p] = values[p * channels + c];
}

void fum_planes_to_pixels(const float *planes, float *values, size_t pixels, size_t channels) {
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < pixels; p++) values[p * channels + c] = planes[c * pixels + p];
}
