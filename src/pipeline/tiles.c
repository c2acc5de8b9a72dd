// SPDX-License-Identifier: MIT
#include "pipeline/tiles.h"

#include "base/macros.h"

bool fum_vae_tile_shrink(int *height, int *width) {
    int *longer = *height >= *width ? height : width;
    if (*longer <= FUM_VAE_TILE_MIN) return false;
    int half = (*longer + 1) / 2;
    *longer = half < FUM_VAE_TILE_MIN ? FUM_VAE_TILE_MIN : half;
    return true;
}

int fum_vae_tile_count(int length, int tile) {
    if (tile >= length) return 1;
    int overlap = tile / 4, stride = tile - overlap;
    return FUM_DIV_UP(length - overlap, stride);
}

int fum_vae_tile_start(int length, int tile, int i) {
    int gaps = fum_vae_tile_count(length, tile) - 1;
    return gaps ? (int)(((long long)(length - tile) * i + gaps / 2) / gaps) : 0;
}

// Returns the ramp of tile i at its pixel x. It rises over what tile i shares with the one before,
// and falls over what it shares with the next.
static float ramp(int length, int tile, int factor, int i, int x) {
    int start = fum_vae_tile_start(length, tile, i), size = tile * factor;
    float weight = 1;
    if (i > 0) {
        int shared = (fum_vae_tile_start(length, tile, i - 1) + tile - start) * factor;
        float w = ((float)x + 0.5f) / (float)shared;
        if (w < weight) weight = w;
    }
    if (i + 1 < fum_vae_tile_count(length, tile)) {
        int shared = (start + tile - fum_vae_tile_start(length, tile, i + 1)) * factor;
        float w = ((float)(size - x) - 0.5f) / (float)shared;
        if (w < weight) weight = w;
    }
    return weight;
}

void fum_vae_tile_weights(int length, int tile, int factor, float *weights) {
    int count = fum_vae_tile_count(length, tile), size = tile * factor;
    for (int i = 0; i < count; i++) {
        for (int x = 0; x < size; x++) {
            int at = fum_vae_tile_start(length, tile, i) * factor + x;
            float sum = 0;
            // Even spreading may let a third tile reach in.
            for (int k = i > 2 ? i - 2 : 0; k < count && k <= i + 2; k++) {
                int there = at - fum_vae_tile_start(length, tile, k) * factor;
                if (there >= 0 && there < size) sum += ramp(length, tile, factor, k, there);
            }
            weights[i * size + x] = ramp(length, tile, factor, i, x) / sum;
        }
    }
}

void fum_vae_tile_add(float *picture, int picture_width, const struct fum_vae_tile *tile,
                      const float *pixels) {
    for (int y = 0; y < tile->height; y++) {
        float *to =
            picture + 3 * ((size_t)(tile->top + y) * (size_t)picture_width + (size_t)tile->left);
        const float *from = pixels + 3 * (size_t)y * (size_t)tile->width;
        for (int x = 0; x < tile->width; x++)
            for (int c = 0; c < 3; c++)
                to[3 * x + c] += tile->rows[y] * tile->columns[x] * from[3 * x + c];
    }
}
