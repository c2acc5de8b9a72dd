// SPDX-License-Identifier: MIT
// Rounds values to the bytes of a picture.
#include "pipeline/pipeline.h"

#include <math.h>

void fum_pixels_to_bytes(const float *values, uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float v = values[i] / 2 + 0.5f;
        if (v > 1) v = 1;
        if (v < 0) v = 0;
        pixels[i] = (uint8_t)nearbyintf(v * 255);
    }
}
