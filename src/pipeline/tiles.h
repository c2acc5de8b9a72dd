// SPDX-License-Identifier: MIT
// Cuts a picture into overlapping tiles and puts it together again, one axis at a time. The tiles
// are all pairs of rows and columns. The weight of a pixel is the product of both.
#ifndef FUM_PIPELINE_TILES_H
#define FUM_PIPELINE_TILES_H

#include <stdbool.h>
#include <stddef.h>

// Latent pixels. Smaller tiles would see too little of the picture, and overlap would be most of
// the work.
enum { FUM_VAE_TILE_MIN = 8 };

// Halves the longer side, keeping to FUM_VAE_TILE_MIN; false when neither can be halved any more.
bool fum_vae_tile_shrink(int *height, int *width);

// Returns how many tiles of `tile` cover `length`, neighbours overlapping by at least a quarter of
// a tile; 1 when tile == length.
int fum_vae_tile_count(int length, int tile);
// Returns where the i-th one starts. They are spread evenly, the first at 0, the last ending at
// length.
int fum_vae_tile_start(int length, int tile, int i);

// Writes the weights of every tile's pixels, [fum_vae_tile_count(length, tile)][tile · factor].
// They are linear ramps in the overlaps and fall to nothing at an edge inside the picture. They add
// up to 1 at every pixel, and are exactly 1 if one tile covers all.
void fum_vae_tile_weights(int length, int tile, int factor, float *weights);

// Adds a tile of 3-channel pixels [tile_height, tile_width], weighted, to the picture at (top,
// left).
struct fum_vae_tile {
    int top, left, height, width; // pixels
    const float *rows, *columns;  // its weights, [height] and [width]
};
void fum_vae_tile_add(float *picture, int picture_width, const struct fum_vae_tile *tile,
                      const float *pixels);

#endif
