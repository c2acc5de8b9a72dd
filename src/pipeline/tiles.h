// SPDX-License-Identifier: MIT
// How a picture is cut into overlapping tiles and put together again. One axis at a time: a
// picture's tiles are all pairs of rows and columns, and the weight of a pixel is the product of
// both.
#ifndef FUM_PIPELINE_TILES_H
#define FUM_PIPELINE_TILES_H

#include <stdbool.h>
#include <stddef.h>

// Latent pixels. Smaller tiles would see too little of the picture, and overlap would be most of
// the work.
enum { FUM_TILE_MIN = 8 };

// Halves the longer side, keeping to FUM_TILE_MIN; false when neither can be halved any more.
bool fum_tile_shrink(int *height, int *width);

// How many tiles of `tile` cover `length`, neighbours overlapping by a quarter of a tile or more; 1
// when tile == length.
int fum_tile_count(int length, int tile);
// Where the i-th one starts: they are spread evenly, the first at 0, the last ending at length.
int fum_tile_start(int length, int tile, int i);

// Weights of every tile's pixels, [fum_tile_count(length, tile)][tile · factor]: linear ramps where
// tiles overlap, falling to nothing at an edge inside the picture. They add up to 1 at every pixel;
// exactly 1 where there is one tile.
void fum_tile_weights(int length, int tile, int factor, float *weights);

// Adds a tile of 3-channel pixels [tile_height, tile_width], weighted, to the picture at (top,
// left).
struct fum_tile {
    int top, left, height, width; // pixels
    const float *rows, *columns;  // its weights, [height] and [width]
};
void fum_tile_add(float *picture, int picture_width, const struct fum_tile *tile,
                  const float *pixels);

#endif
