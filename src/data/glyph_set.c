// SPDX-License-Identifier: MIT
#include "data/glyph_set.h"

#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "data/freetype.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef FUM_HAS_FREETYPE

enum {
    LOAD_PIXELS = 256, // size of the outlines
    PROBE_SIDE = 28,   // of the pictures that are compared
    PROBE_BYTES = PROBE_SIDE * PROBE_SIDE,
};
#define LEAST_LIKENESS 0.4 // mean correlation with the other faces' characters

struct face {
    struct fum_glyph_face names;
    FT_Outline *outlines; // of each character
    FT_BBox box;          // around all of them, each moved to the middle
    uint8_t *probes;      // upright pictures of all characters, while faces are chosen
    double likeness;
};

struct fum_glyph_set {
    FT_Library library;
    fum_arena *arena; // of the names
    struct face *faces;
    size_t count, capacity;
    int characters, skipped;
    const struct fum_log *log;
};

// ---- one face ----

static void free_face(fum_glyph_set *set, struct face *face) {
    for (int i = 0; face->outlines && i < set->characters; i++)
        FT_Outline_Done(set->library, &face->outlines[i]);
    fum_free(face->outlines);
    fum_free(face->probes);
    *face = (struct face){0};
}

static void skip_face(fum_glyph_set *set, struct face *face, const char *why) {
    fum_log(set->log, FUM_LOG_INFO, "%s %s (%s) is skipped: %s", face->names.family,
            face->names.style, face->names.path, why);
    free_face(set, face);
    set->skipped++;
}

// Moves an outline so that the middle of its width is at 0. Its height stays on the font's line.
static void centre_outline(FT_Outline *outline) {
    FT_BBox box;
    FT_Outline_Get_CBox(outline, &box);
    FT_Outline_Translate(outline, -(box.xMin + box.xMax) / 2, 0);
}

// Copies a character's outline. False if the face does not draw it, or memory is out.
static bool copy_outline(fum_glyph_set *set, FT_Face from, uint32_t code, FT_Outline *to) {
    FT_UInt glyph = FT_Get_Char_Index(from, code);
    if (!glyph || FT_Load_Glyph(from, glyph, FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP)) return false;
    const FT_Outline *outline = &from->glyph->outline;
    if (from->glyph->format != FT_GLYPH_FORMAT_OUTLINE || !outline->n_points) return false;
    if (FT_Outline_New(set->library, (FT_UInt)outline->n_points, outline->n_contours, to))
        return false;
    if (FT_Outline_Copy(outline, to)) return false;
    centre_outline(to);
    return true;
}

// Copies the outlines of all characters. False if one is missing; free_face frees the others.
static bool copy_outlines(fum_glyph_set *set, FT_Face from, const struct fum_glyph_request *request,
                          struct face *face) {
    face->outlines = fum_calloc((size_t)request->count, sizeof *face->outlines);
    face->box = (FT_BBox){.xMin = LONG_MAX, .yMin = LONG_MAX, .xMax = LONG_MIN, .yMax = LONG_MIN};
    for (int i = 0; i < request->count; i++) {
        FT_BBox box;
        if (!face->outlines || !copy_outline(set, from, request->codes[i], &face->outlines[i]))
            return false;
        FT_Outline_Get_CBox(&face->outlines[i], &box);
        face->box.xMin = FUM_MIN(face->box.xMin, box.xMin);
        face->box.yMin = FUM_MIN(face->box.yMin, box.yMin);
        face->box.xMax = FUM_MAX(face->box.xMax, box.xMax);
        face->box.yMax = FUM_MAX(face->box.yMax, box.yMax);
    }
    return face->box.xMax > face->box.xMin && face->box.yMax > face->box.yMin;
}

// ---- drawing ----

static FT_Fixed fixed_of(double x) {
    return (FT_Fixed)lrint(x * 65536);
}

// Returns the matrix of a pose, whose unit is the outlines', for a picture of `size` pixels.
static FT_Matrix matrix_of(const struct face *face, const struct fum_glyph_pose *pose, int size) {
    FT_Pos extent = FUM_MAX(face->box.xMax - face->box.xMin, face->box.yMax - face->box.yMin);
    double scale = pose->scale * size * 64 * 5 / 7 / (double)extent;
    double c = cos(pose->angle) * scale, s = sin(pose->angle) * scale, w = pose->stretch;
    // rotation after shear after stretch
    return (FT_Matrix){.xx = fixed_of(c * w),
                       .xy = fixed_of(c * pose->shear - s),
                       .yx = fixed_of(s * w),
                       .yy = fixed_of(s * pose->shear + c)};
}

// Makes an outline smaller if it does not fit between the borders, a pixel each.
static void shrink_outline(FT_Outline *outline, int size) {
    FT_BBox box;
    FT_Outline_Get_CBox(outline, &box);
    double room = (size - 2) * 64.0;
    double extent = (double)FUM_MAX(box.xMax - box.xMin, box.yMax - box.yMin);
    if (extent <= room) return;
    FT_Matrix smaller = {.xx = fixed_of(room / extent), .yy = fixed_of(room / extent)};
    FT_Outline_Transform(outline, &smaller);
}

// Moves an outline by whole 64ths of a pixel to where it is drawn, and inside.
static void place_outline(FT_Outline *outline, const struct fum_glyph_pose *pose, int size) {
    FT_BBox box;
    FT_Outline_Get_CBox(outline, &box);
    FT_Pos side = size * 64, middle = side / 2;
    FT_Pos x = (FT_Pos)fum_clamp_i64(middle + lrint(pose->x * 64), -box.xMin, side - box.xMax);
    FT_Pos y = (FT_Pos)fum_clamp_i64(middle + lrint(pose->y * 64), -box.yMin, side - box.yMax);
    FT_Outline_Translate(outline, x, y);
}

bool fum_glyph_set_draw(const fum_glyph_set *set, const struct fum_glyph_pick *pick,
                        const struct fum_glyph_pose *pose, int size, uint8_t *pixels) {
    const struct face *face = &set->faces[pick->face];
    const FT_Outline *from = &face->outlines[pick->character];
    FT_Matrix matrix = matrix_of(face, pose, size);
    FT_Outline outline;
    FT_Bitmap bitmap = {.rows = (unsigned)size,
                        .width = (unsigned)size,
                        .pitch = size,
                        .buffer = pixels,
                        .num_grays = 256,
                        .pixel_mode = FT_PIXEL_MODE_GRAY};
    memset(pixels, 0, (size_t)size * (size_t)size);
    if (FT_Outline_New(set->library, (FT_UInt)from->n_points, from->n_contours, &outline))
        return false;
    FT_Outline_Copy(from, &outline);
    FT_Outline_Translate(&outline, 0, -(face->box.yMin + face->box.yMax) / 2);
    FT_Outline_Transform(&outline, &matrix);
    shrink_outline(&outline, size);
    place_outline(&outline, pose, size);
    bool good = !FT_Outline_Get_Bitmap(set->library, &outline, &bitmap);
    FT_Outline_Done(set->library, &outline);
    return good;
}

// ---- choosing faces ----

static bool draw_probes(fum_glyph_set *set, int index) {
    static const struct fum_glyph_pose upright = {.scale = 1, .stretch = 1};
    struct face *face = &set->faces[index];
    face->probes = fum_alloc((size_t)set->characters, PROBE_BYTES);
    bool good = face->probes != NULL;
    for (int i = 0; i < set->characters && good; i++)
        good = fum_glyph_set_draw(set, &(struct fum_glyph_pick){index, i}, &upright, PROBE_SIDE,
                                  face->probes + (size_t)i * PROBE_BYTES);
    return good;
}

// True if two characters of a face look alike, as the boxes of fonts without them do, or if one is
// empty.
static bool has_equal_probes(const fum_glyph_set *set, const struct face *face) {
    static const uint8_t empty[PROBE_BYTES];
    for (int i = 0; i < set->characters; i++) {
        const uint8_t *probe = face->probes + (size_t)i * PROBE_BYTES;
        if (!memcmp(probe, empty, PROBE_BYTES)) return true;
        for (int j = 0; j < i; j++)
            if (!memcmp(probe, face->probes + (size_t)j * PROBE_BYTES, PROBE_BYTES)) return true;
    }
    return false;
}

// True if a face before this one looks the same: many families share their digits.
static bool repeats_face(const fum_glyph_set *set, size_t index) {
    size_t bytes = (size_t)set->characters * PROBE_BYTES;
    for (size_t i = 0; i < index; i++)
        if (!memcmp(set->faces[i].probes, set->faces[index].probes, bytes)) return true;
    return false;
}

// Returns the correlation of a face's picture with the mean of the other faces'.
static double likeness_of(const uint8_t *probe, const double *sum, size_t faces) {
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < PROBE_BYTES; i++) {
        double x = probe[i], y = (sum[i] - probe[i]) / (double)(faces - 1);
        a += x;
        b += y;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    double covariance = ab - a * b / PROBE_BYTES;
    double variances = (aa - a * a / PROBE_BYTES) * (bb - b * b / PROBE_BYTES);
    return variances > 0 ? covariance / sqrt(variances) : 0;
}

static void measure_likeness(fum_glyph_set *set) {
    for (size_t f = 0; f < set->count; f++) set->faces[f].likeness = 0;
    for (int c = 0; c < set->characters; c++) {
        double sum[PROBE_BYTES] = {0};
        for (size_t f = 0; f < set->count; f++)
            for (size_t i = 0; i < PROBE_BYTES; i++)
                sum[i] += set->faces[f].probes[(size_t)c * PROBE_BYTES + i];
        for (size_t f = 0; f < set->count; f++)
            set->faces[f].likeness +=
                likeness_of(set->faces[f].probes + (size_t)c * PROBE_BYTES, sum, set->count) /
                set->characters;
    }
}

// Removes faces whose characters are unlike those of the others: symbols under the codes of
// letters.
static void drop_unlike(fum_glyph_set *set) {
    size_t kept = 0;
    if (set->count < 3) return; // too few to say which of them is the odd one
    measure_likeness(set);
    for (size_t f = 0; f < set->count; f++) {
        if (set->faces[f].likeness >= LEAST_LIKENESS) {
            set->faces[kept++] = set->faces[f];
        } else {
            skip_face(set, &set->faces[f], "its characters are unlike those of other fonts");
        }
    }
    set->count = kept;
}

// ---- loading ----

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the fonts' characters");
}

static bool is_usable(FT_Face face) {
    bool symbols = face->charmap && face->charmap->encoding == FT_ENCODING_MS_SYMBOL;
    return FT_IS_SCALABLE(face) && !symbols && !FT_Set_Pixel_Sizes(face, 0, LOAD_PIXELS);
}

static const char *name_of(fum_arena *arena, const char *name, const char *fallback) {
    return fum_arena_strdup(arena, name ? name : fallback);
}

// Prepares a face. Returns why it is skipped, or NULL.
static const char *find_fault(fum_glyph_set *set, FT_Face from,
                              const struct fum_glyph_request *request, struct face *face) {
    if (!is_usable(from)) return "its characters are bitmaps or symbols";
    if (!copy_outlines(set, from, request, face)) return "it lacks a character";
    if (!draw_probes(set, (int)set->count)) return "it cannot be drawn";
    if (has_equal_probes(set, face)) return "two characters look alike";
    return repeats_face(set, set->count) ? "another face looks the same" : NULL;
}

// Adds a face if it draws all characters, each differently, and no face so far looks the same.
static enum fum_result add_face(fum_glyph_set *set, FT_Face from, const char *path,
                                const struct fum_glyph_request *request, struct fum_error *err) {
    if (!fum_grow((void **)&set->faces, &set->capacity, set->count, sizeof *set->faces))
        return no_memory(err);
    struct face *face = &set->faces[set->count];
    *face = (struct face){.names = {name_of(set->arena, from->family_name, path),
                                    name_of(set->arena, from->style_name, ""),
                                    fum_arena_strdup(set->arena, path)}};
    if (!face->names.family || !face->names.style || !face->names.path) return no_memory(err);
    const char *why = find_fault(set, from, request, face);
    if (why)
        skip_face(set, face, why);
    else
        set->count++;
    return FUM_OK;
}

// Adds the faces of a file. One that FreeType cannot read is skipped.
static enum fum_result add_file(fum_glyph_set *set, const char *path,
                                const struct fum_glyph_request *request, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (FT_Long index = 0, count = 1; index < count && !result; index++) {
        FT_Face face = NULL;
        FT_Error failed = FT_New_Face(set->library, path, index, &face);
        if (failed == FT_Err_Out_Of_Memory) return no_memory(err);
        if (failed) {
            set->skipped++;
            return FUM_OK;
        }
        count = face->num_faces;
        result = add_face(set, face, path, request, err);
        FT_Done_Face(face);
    }
    return result;
}

static int compare_faces(const void *a, const void *b) {
    const struct fum_glyph_face *x = &((const struct face *)a)->names,
                                *y = &((const struct face *)b)->names;
    int order = strcmp(x->family, y->family);
    if (!order) order = strcmp(x->style, y->style);
    return order ? order : strcmp(x->path, y->path);
}

enum fum_result fum_glyph_set_load(fum_glyph_set **out, const struct fum_fonts *fonts,
                                   const struct fum_glyph_request *request, struct fum_error *err) {
    fum_glyph_set *set = *out = fum_calloc(1, sizeof *set);
    enum fum_result result = FUM_OK;
    if (set) set->arena = fum_arena_create();
    if (!set || !set->arena || FT_Init_FreeType(&set->library)) result = no_memory(err);
    if (!result) set->characters = request->count;
    if (!result) set->log = request->log;
    for (size_t i = 0; i < fonts->count && !result; i++)
        result = add_file(set, fonts->paths[i], request, err);
    if (result) {
        fum_glyph_set_free(out);
        return result;
    }
    drop_unlike(set);
    for (size_t f = 0; f < set->count; f++) {
        fum_free(set->faces[f].probes);
        set->faces[f].probes = NULL;
    }
    if (set->count) qsort(set->faces, set->count, sizeof *set->faces, compare_faces);
    return FUM_OK;
}

void fum_glyph_set_free(fum_glyph_set **set) {
    fum_glyph_set *s = *set;
    if (!s) return;
    for (size_t f = 0; f < s->count; f++) free_face(s, &s->faces[f]);
    fum_free(s->faces);
    if (s->library) FT_Done_FreeType(s->library);
    fum_arena_destroy(&s->arena);
    fum_free(s);
    *set = NULL;
}

int fum_glyph_set_count(const fum_glyph_set *set) {
    return (int)set->count;
}

int fum_glyph_set_skipped(const fum_glyph_set *set) {
    return set->skipped;
}

const struct fum_glyph_face *fum_glyph_set_face(const fum_glyph_set *set, int face) {
    return &set->faces[face].names;
}

#endif
