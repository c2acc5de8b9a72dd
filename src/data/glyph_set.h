// SPDX-License-Identifier: MIT
// The outlines of characters in many fonts, and pictures of them.
#ifndef FUM_DATA_GLYPH_SET_H
#define FUM_DATA_GLYPH_SET_H

#include "data/fonts.h"

typedef struct fum_glyph_set fum_glyph_set;

// What a set is made of.
struct fum_glyph_request {
    const uint32_t *codes; // code points, each a class
    int count;
    const struct fum_log *log; // reports why faces are skipped; may be NULL
};

// Loads every face that draws all characters, each in its own way and recognisably: symbols, boxes
// and repeated faces are skipped. Faces are sorted by family.
enum fum_result fum_glyph_set_load(fum_glyph_set **set, const struct fum_fonts *fonts,
                                   const struct fum_glyph_request *request, struct fum_error *err);
void fum_glyph_set_free(fum_glyph_set **set);

struct fum_glyph_face {
    const char *family, *style, *path;
};
int fum_glyph_set_count(const fum_glyph_set *set);
int fum_glyph_set_skipped(const fum_glyph_set *set);
const struct fum_glyph_face *fum_glyph_set_face(const fum_glyph_set *set, int face);

// How a character is drawn. It is upright and in the middle where scale and stretch are 1 and the
// others 0. The font's tallest or widest character then has 5/7 of the side.
struct fum_glyph_pose {
    double scale;   // factor of the size
    double stretch; // factor of the width over that of the height
    double angle;   // radians, against the clock
    double shear;   // shift to the right of a height
    double x, y;    // shift to the right and up, in pixels
};
// A character of a face.
struct fum_glyph_pick {
    int face, character;
};
// Draws white on black into size·size bytes. A character that would leave the picture is made
// smaller and moved inside. False if memory is out.
bool fum_glyph_set_draw(const fum_glyph_set *set, const struct fum_glyph_pick *pick,
                        const struct fum_glyph_pose *pose, int size, uint8_t *pixels);

#endif
