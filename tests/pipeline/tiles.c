// SPDX-License-Identifier: MIT
// How tiles are cut and put together: cover, overlap, weights. No device.

#include "test.h"

#include <math.h>

#include "pipeline/tiles.h"

enum { FACTOR = 8 };

// Checks one axis: tiles stay inside, neighbours share a quarter of a tile, and the weights add up
// to 1. No step between pixels is larger than a ramp's.
static void check_axis(int length, int tile) {
    int count = fum_vae_tile_count(length, tile), size = tile * FACTOR, all = length * FACTOR;
    float *weights = malloc((size_t)count * (size_t)size * sizeof *weights);
    double *sum = calloc((size_t)all, sizeof *sum);
    assert_int_equal(fum_vae_tile_start(length, tile, 0), 0);
    assert_int_equal(fum_vae_tile_start(length, tile, count - 1), length - tile);
    for (int i = 1; i < count; i++) {
        int gap = fum_vae_tile_start(length, tile, i) - fum_vae_tile_start(length, tile, i - 1);
        if (gap <= 0 || gap > tile - tile / 4)
            fail_msg("%d in tiles of %d: a stride of %d", length, tile, gap);
    }
    fum_vae_tile_weights(length, tile, FACTOR, weights);
    for (int i = 0; i < count; i++) {
        const float *w = weights + i * size;
        for (int x = 0; x < size; x++) {
            sum[fum_vae_tile_start(length, tile, i) * FACTOR + x] += w[x];
            assert_true(w[x] > 0 && w[x] <= 1);
            // A ramp over a quarter of a tile or more, steeper by at most half where three tiles
            // meet.
            if (x && fabsf(w[x] - w[x - 1]) > 2.f / (float)(tile / 4 * FACTOR))
                fail_msg("%d in tiles of %d: tile %d steps from %g to %g at %d", length, tile, i,
                         (double)w[x - 1], (double)w[x], x);
        }
        // Where a tile ends inside the picture, it counts for nothing.
        if (i > 0) assert_true(w[0] <= 0.5f / (float)(tile / 4 * FACTOR) + 1e-6f);
        if (i + 1 < count) assert_true(w[size - 1] <= 0.5f / (float)(tile / 4 * FACTOR) + 1e-6f);
    }
    for (int x = 0; x < all; x++) assert_true(fabs(sum[x] - 1) < 1e-6);
    free(weights);
    free(sum);
}

static void tiles_cover_an_axis(void **state) {
    (void)state;
    for (int tile = FUM_VAE_TILE_MIN; tile <= 64; tile += tile < 20 ? 1 : 11)
        for (int length = tile; length <= 200; length += length < 40 ? 1 : 13)
            check_axis(length, tile);
}

static void a_small_picture_is_one_tile(void **state) {
    (void)state;
    float weights[12 * FACTOR];
    fum_vae_tile_weights(12, 12, FACTOR, weights);
    for (int i = 0; i < 12 * FACTOR; i++) assert_true(weights[i] == 1);
}

static void tiles_shrink_to_the_limits(void **state) {
    (void)state;
    int height = 96, width = 300, steps = 0;
    while (fum_vae_tile_shrink(&height, &width)) {
        assert_true(height >= FUM_VAE_TILE_MIN && width >= FUM_VAE_TILE_MIN);
        steps++;
    }
    assert_int_equal(steps, 4 + 6);
    assert_int_equal(height, FUM_VAE_TILE_MIN);
    assert_int_equal(width, FUM_VAE_TILE_MIN);
    height = 4; // a picture smaller than any tile is left alone
    width = 6;
    assert_false(fum_vae_tile_shrink(&height, &width));
}

// A picture cut into tiles and put together again is the picture.
static void tiles_make_the_picture_again(void **state) {
    (void)state;
    enum { H = 21, W = 34, TILE = 8, AREA = TILE * FACTOR };
    static float picture[3 * H * FACTOR * W * FACTOR], again[3 * H * FACTOR * W * FACTOR],
        pixels[3 * AREA * AREA];
    static float rows[8 * AREA], columns[8 * AREA];
    for (size_t i = 0; i < sizeof picture / sizeof *picture; i++)
        picture[i] = sinf((float)i * 0.37f);
    fum_vae_tile_weights(H, TILE, FACTOR, rows);
    fum_vae_tile_weights(W, TILE, FACTOR, columns);
    for (int r = 0; r < fum_vae_tile_count(H, TILE); r++) {
        for (int c = 0; c < fum_vae_tile_count(W, TILE); c++) {
            struct fum_vae_tile tile = {fum_vae_tile_start(H, TILE, r) * FACTOR,
                                        fum_vae_tile_start(W, TILE, c) * FACTOR,
                                        AREA,
                                        AREA,
                                        rows + r * AREA,
                                        columns + c * AREA};
            for (int y = 0; y < AREA; y++)
                for (int x = 0; x < 3 * AREA; x++)
                    pixels[y * 3 * AREA + x] =
                        picture[3 * ((tile.top + y) * W * FACTOR + tile.left) + x];
            fum_vae_tile_add(again, W * FACTOR, &tile, pixels);
        }
    }
    for (size_t i = 0; i < sizeof picture / sizeof *picture; i++)
        assert_true(fabsf(picture[i] - again[i]) < 1e-6f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tiles_cover_an_axis),
                                       cmocka_unit_test(a_small_picture_is_one_tile),
                                       cmocka_unit_test(tiles_shrink_to_the_limits),
                                       cmocka_unit_test(tiles_make_the_picture_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
