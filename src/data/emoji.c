// SPDX-License-Identifier: MIT
// Makes a data set of emoji: pictures from a colour font, and captions from CLDR.
#include <fumarole/dataset.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "data/emoji_names.h"
#include "data/fit.h"
#include "data/fonts.h"
#include "data/freetype.h"
#include "data/ligature.h"

#include <math.h>
#include <string.h>

#ifdef FUM_HAS_FREETYPE

enum { MAX_SIZE = 1024, PROBE_CODE = 0x1f600 };

struct maker {
    const struct fum_dataset_emoji_params *params;
    int size;
    fum_arena *arena;
    FT_Library library;
    FT_Face face;
    struct fum_gsub gsub; // of the face; empty if it has none
    struct fum_emoji_names names;
    char *table; // the text of captions.tsv
    size_t table_bytes, table_capacity;
    char (*digests)[FUM_SHA256_TEXT]; // of the pictures so far
    int64_t made, held_out;
};

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the emoji");
}

// ---- the font ----

// Chooses the largest pictures of a font of bitmaps, or a size for one of outlines.
static bool choose_size(FT_Face face, int size) {
    int best = 0;
    for (int i = 1; i < face->num_fixed_sizes; i++)
        if (face->available_sizes[i].height > face->available_sizes[best].height) best = i;
    if (face->num_fixed_sizes) return !FT_Select_Size(face, best);
    return !FT_Set_Pixel_Sizes(face, 0, (FT_UInt)size);
}

// Opens a face of a file if it draws emoji in colours.
static bool open_face(struct maker *m, const char *path) {
    for (FT_Long index = 0, count = 1; index < count; index++) {
        FT_Face face = NULL;
        if (FT_New_Face(m->library, path, index, &face)) return false;
        count = face->num_faces;
        if (FT_HAS_COLOR(face) && FT_Get_Char_Index(face, PROBE_CODE) &&
            choose_size(face, m->size)) {
            m->face = face;
            return true;
        }
        FT_Done_Face(face);
    }
    return false;
}

// Reads the face's table of ligatures, if it has one.
static enum fum_result read_gsub(struct maker *m, struct fum_error *err) {
    FT_ULong bytes = 0;
    FT_ULong tag = FT_MAKE_TAG('G', 'S', 'U', 'B');
    if (FT_Load_Sfnt_Table(m->face, tag, 0, NULL, &bytes)) return FUM_OK;
    uint8_t *data = fum_arena_alloc(m->arena, bytes, 1);
    if (!data) return no_memory(err);
    if (!FT_Load_Sfnt_Table(m->face, tag, 0, data, &bytes))
        m->gsub = (struct fum_gsub){data, bytes};
    return FUM_OK;
}

static enum fum_result find_font(struct maker *m, struct fum_error *err) {
    struct fum_fonts fonts = {.arena = m->arena};
    if (FT_Init_FreeType(&m->library)) return no_memory(err);
    enum fum_result result = fum_fonts_find(&fonts, m->params->fonts, err);
    for (size_t i = 0; i < fonts.count && !result && !m->face; i++) open_face(m, fonts.paths[i]);
    fum_free(fonts.paths);
    if (!result && m->face) return read_gsub(m, err);
    if (result) return result;
    return fum_error_set(err, FUM_ERR_IO,
                         "no font draws emoji in colours; install one (Debian: "
                         "fonts-noto-color-emoji) or name its file");
}

// ---- a picture ----

// Returns a value of a picture over white; its colours are multiplied by their opacity.
static uint8_t over_white(uint8_t value, uint8_t opacity) {
    int sum = value + 255 - opacity;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

// Returns the side of the square that is cut out. That is the height, unless something is drawn
// beside it.
static int square_side(const FT_Bitmap *b) {
    int width = (int)b->width, height = (int)b->rows, side = height;
    if (width <= height) return height;
    int margin = (width - side) / 2;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            bool outside = x < margin || x >= margin + side;
            if (outside && b->buffer[y * b->pitch + 4 * x + 3]) return width;
        }
    return side;
}

// Copies the glyph on a white square.
static enum fum_result copy_glyph(const FT_Bitmap *from, struct fum_bitmap *to,
                                  struct fum_error *err) {
    int side = square_side(from), left = (side - (int)from->width) / 2;
    int top = (side - (int)from->rows) / 2;
    *to = (struct fum_bitmap){fum_alloc((size_t)side * (size_t)side, 3), side, side, 3};
    if (!to->pixels) return no_memory(err);
    memset(to->pixels, 255, (size_t)side * (size_t)side * 3);
    for (int y = 0; y < (int)from->rows; y++)
        for (int x = 0; x < (int)from->width; x++) {
            const uint8_t *bgra = from->buffer + y * from->pitch + 4 * x;
            if (left + x < 0 || left + x >= side) continue;
            uint8_t *rgb = to->pixels + ((size_t)(top + y) * (size_t)side + (size_t)(left + x)) * 3;
            for (int c = 0; c < 3; c++) rgb[c] = over_white(bgra[2 - c], bgra[3]);
        }
    return FUM_OK;
}

// Scales a square picture to the data set's size.
static enum fum_result scale_glyph(const struct maker *m, struct fum_bitmap *bitmap,
                                   struct fum_error *err) {
    size_t plane = (size_t)m->size * (size_t)m->size;
    if (bitmap->width == m->size) return FUM_OK;
    float *values = fum_alloc(plane, 3 * sizeof *values);
    uint8_t *pixels = fum_alloc(plane, 3);
    enum fum_result result = values && pixels ? FUM_OK : no_memory(err);
    const struct fum_fit_target to = {m->size, m->size, 3, false, values};
    if (!result) result = fum_fit_picture(bitmap, &to, err);
    for (size_t i = 0; i < plane * 3 && !result; i++)
        pixels[i] = (uint8_t)lrintf(values[i % 3 * plane + i / 3] * 255);
    fum_free(values);
    if (result) {
        fum_free(pixels);
        return result;
    }
    fum_bitmap_free(bitmap);
    *bitmap = (struct fum_bitmap){pixels, m->size, m->size, 3};
    return FUM_OK;
}

// Returns the glyph of an emoji, a sequence's being a ligature; 0: the font has none.
static FT_UInt find_glyph(const struct maker *m, const struct fum_emoji_codes *codes) {
    uint16_t glyphs[FUM_EMOJI_CODES];
    for (int i = 0; i < codes->count; i++) {
        FT_UInt glyph = FT_Get_Char_Index(m->face, codes->codes[i]);
        if (!glyph) return 0;
        glyphs[i] = (uint16_t)glyph;
    }
    return codes->count == 1 ? glyphs[0] : fum_gsub_find(&m->gsub, glyphs, codes->count);
}

// Draws an emoji. The bitmap stays empty if the font does not have it.
static enum fum_result draw_emoji(const struct maker *m, const struct fum_emoji_codes *codes,
                                  struct fum_bitmap *bitmap, struct fum_error *err) {
    FT_UInt glyph = find_glyph(m, codes);
    *bitmap = (struct fum_bitmap){0};
    if (!glyph || FT_Load_Glyph(m->face, glyph, FT_LOAD_COLOR)) return FUM_OK;
    if (m->face->glyph->format != FT_GLYPH_FORMAT_BITMAP &&
        FT_Render_Glyph(m->face->glyph, FT_RENDER_MODE_NORMAL))
        return FUM_OK;
    const FT_Bitmap *drawn = &m->face->glyph->bitmap;
    if (drawn->pixel_mode != FT_PIXEL_MODE_BGRA || !drawn->rows || !drawn->width) return FUM_OK;
    enum fum_result result = copy_glyph(drawn, bitmap, err);
    if (!result) result = scale_glyph(m, bitmap, err);
    if (result) fum_bitmap_free(bitmap);
    return result;
}

// True if an equal picture was made before: some characters share one.
static bool repeats_picture(struct maker *m, const struct fum_bitmap *bitmap) {
    struct fum_sha256 sha;
    char *digest = m->digests[m->made];
    fum_sha256_begin(&sha);
    fum_sha256_add(&sha, bitmap->pixels, (size_t)m->size * (size_t)m->size * 3);
    fum_sha256_end(&sha, digest);
    for (int64_t i = 0; i < m->made; i++)
        if (!strcmp(m->digests[i], digest)) return true;
    return false;
}

// ---- writing ----

static enum fum_result add_line(struct maker *m, const char *line, struct fum_error *err) {
    size_t bytes = line ? strlen(line) : 0;
    while (line && m->table_bytes + bytes >= m->table_capacity)
        if (!fum_grow((void **)&m->table, &m->table_capacity, m->table_capacity, 1)) line = NULL;
    if (!line) return no_memory(err);
    memcpy(m->table + m->table_bytes, line, bytes);
    m->table_bytes += bytes;
    return FUM_OK;
}

static enum fum_result write_emoji(struct maker *m, const struct fum_emoji *emoji,
                                   struct fum_error *err) {
    struct fum_bitmap bitmap;
    enum fum_result result = draw_emoji(m, &emoji->codes, &bitmap, err);
    if (!result && !bitmap.pixels)
        fum_log(m->params->watch.log, FUM_LOG_INFO, "%s (%s) is skipped: not in the font",
                emoji->name, emoji->file);
    if (result || !bitmap.pixels) return result;
    if (!repeats_picture(m, &bitmap)) {
        const char *path =
            fum_arena_printf(m->arena, "%s/images/%s.png", m->params->output, emoji->file);
        const struct fum_picture picture = {
            .pixels = bitmap.pixels, .width = m->size, .height = m->size, .channels = 3};
        result = path ? fum_image_write_png(path, &picture, err) : no_memory(err);
        if (!result)
            result = add_line(m,
                              fum_arena_printf(m->arena, "images/%s.png\t%s\t%s\t%s\t%s\t%s\n",
                                               emoji->file, emoji->name, emoji->keywords,
                                               emoji->group, emoji->subgroup, emoji->split),
                              err);
        m->made++;
        m->held_out += strcmp(emoji->split, "train") != 0;
    }
    fum_bitmap_free(&bitmap);
    return result;
}

static enum fum_result write_all(struct maker *m, struct fum_error *err) {
    const struct fum_dataset_watch *watch = &m->params->watch;
    enum fum_result result = add_line(m, "file\tname\tkeywords\tgroup\tsubgroup\tsplit\n", err);
    for (size_t i = 0; i < m->names.count && !result; i++) {
        if (watch->progress) watch->progress(watch->user, (int64_t)i, (int64_t)m->names.count);
        if (watch->cancel && watch->cancel(watch->user))
            result = fum_error_set(err, FUM_ERR_CANCELLED, "stopped");
        else
            result = write_emoji(m, &m->names.emoji[i], err);
    }
    if (!result && m->made == 0)
        result = fum_error_set(err, FUM_ERR_UNSUPPORTED,
                               "FreeType cannot draw the emoji of the font in colours");
    const char *path = result ? NULL : fum_path_join(m->arena, m->params->output, "captions.tsv");
    if (result) return result;
    return path ? fum_file_save(path, m->table, m->table_bytes, err) : no_memory(err);
}

// ---- the data set ----

static enum fum_result make_emoji(struct maker *m, struct fum_error *err) {
    const struct fum_dataset_emoji_params *p = m->params;
    m->size = p->size ? p->size : 128;
    if (!p->output || !*p->output)
        return fum_error_set(err, FUM_ERR_ARG, "no folder for the data set");
    if (m->size < 8 || m->size > MAX_SIZE)
        return fum_error_set(err, FUM_ERR_ARG, "pictures of %d pixels; from 8 to %d", m->size,
                             MAX_SIZE);
    enum fum_result result = find_font(m, err);
    if (!result)
        result = fum_emoji_names_read(&m->names, p->cldr, p->language ? p->language : "en", err);
    if (!result) m->digests = fum_arena_alloc(m->arena, m->names.count, sizeof *m->digests);
    if (!result && !m->digests) return no_memory(err);
    const char *images = fum_path_join(m->arena, p->output, "images");
    if (!result && !images) return no_memory(err);
    if (!result) result = fum_path_make_dirs(images, err);
    return result ? result : write_all(m, err);
}

enum fum_result fum_dataset_emoji(const struct fum_dataset_emoji_params *params,
                                  struct fum_dataset_report *report, struct fum_error *err) {
    struct maker m = {.params = params, .arena = fum_arena_create()};
    if (!m.arena) return no_memory(err);
    m.names.arena = m.arena;
    enum fum_result result = make_emoji(&m, err);
    if (!result && report)
        *report = (struct fum_dataset_report){.samples = m.made - m.held_out,
                                              .held_out = m.held_out,
                                              .fonts = 1,
                                              .skipped = (int)((int64_t)m.names.count - m.made)};
    if (m.face) FT_Done_Face(m.face);
    if (m.library) FT_Done_FreeType(m.library);
    fum_free(m.names.emoji);
    fum_free(m.table);
    fum_arena_destroy(&m.arena);
    return result;
}

#else

enum fum_result fum_dataset_emoji(const struct fum_dataset_emoji_params *params,
                                  struct fum_dataset_report *report, struct fum_error *err) {
    (void)params;
    (void)report;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s", FUM_NO_FREETYPE);
}

#endif
