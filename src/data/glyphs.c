// SPDX-License-Identifier: MIT
// Makes a data set of characters from fonts, in the format and with the file names of MNIST.
#include <fumarole/dataset.h>

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/utf8.h"
#include "data/draw.h"
#include "data/freetype.h"
#include "data/glyph_set.h"
#include "data/order.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_CLASSES = 256, // labels are bytes
    MAX_SIZE = 1024,
    HELD_OUT_SHARE = 6, // one of so many families is held out
    WATCH_EVERY = 256,  // pictures between two looks at the caller's watch
};

#ifdef FUM_HAS_FREETYPE

// What a draw is for.
enum { CLASS = 1, FACE, SCALE, STRETCH, ANGLE, SHEAR, SHIFT_X, SHIFT_Y };

// One part of the data set, and its files.
struct part {
    const char *images, *labels;
    int64_t count;
    const int *faces; // of the set
    int face_count;
    uint64_t number; // distinguishes the parts' draws
};

struct maker {
    const struct fum_dataset_glyphs_params *params;
    int size;
    uint32_t codes[MAX_CLASSES];
    int classes;
    fum_arena *arena;
    struct fum_fonts fonts;
    fum_glyph_set *set;
    int *faces; // those for training, then those held out
    struct part parts[2];
    int64_t done, total;
};

// ---- the request ----

static enum fum_result read_characters(struct maker *m, struct fum_error *err) {
    const char *text = m->params->characters ? m->params->characters : "0123456789";
    size_t bytes = strlen(text), used;
    for (size_t at = 0; at < bytes; at += used) {
        uint32_t code = fum_utf8_next(text + at, bytes - at, &used);
        for (int i = 0; i < m->classes; i++)
            if (m->codes[i] == code)
                return fum_error_set(err, FUM_ERR_ARG, "the character \"%.*s\" is given twice",
                                     (int)used, text + at);
        if (m->classes == MAX_CLASSES || code <= ' ' || !fum_utf8_length(text + at, bytes - at))
            return fum_error_set(err, FUM_ERR_ARG,
                                 "the characters must be visible ones in UTF-8, at most %d",
                                 MAX_CLASSES);
        m->codes[m->classes++] = code;
    }
    if (m->classes) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG, "no characters to draw");
}

static enum fum_result check_request(struct maker *m, struct fum_error *err) {
    const struct fum_dataset_glyphs_params *p = m->params;
    m->size = p->size ? p->size : 28;
    if (!p->output || !*p->output)
        return fum_error_set(err, FUM_ERR_ARG, "no folder for the data set");
    if (m->size < 8 || m->size > MAX_SIZE)
        return fum_error_set(err, FUM_ERR_ARG, "pictures of %d pixels; from 8 to %d", m->size,
                             MAX_SIZE);
    if (p->count < 0 || p->held_out < 0 || p->count > INT32_MAX || p->held_out > INT32_MAX)
        return fum_error_set(err, FUM_ERR_ARG, "from 1 to %d pictures can be made", INT32_MAX);
    m->parts[0] = (struct part){.images = "train-images-idx3-ubyte",
                                .labels = "train-labels-idx1-ubyte",
                                .count = p->count ? p->count : 60000};
    m->parts[1] = (struct part){.images = "t10k-images-idx3-ubyte",
                                .labels = "t10k-labels-idx1-ubyte",
                                .count = p->held_out ? p->held_out : 10000,
                                .number = 1};
    m->total = m->parts[0].count + m->parts[1].count;
    return read_characters(m, err);
}

// ---- which faces are held out ----

// Hashes a family's name (FNV-1a).
static uint64_t hash_name(const char *name) {
    uint64_t hash = 14695981039346656037u;
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 1099511628211u;
    return fum_draw_mix(hash);
}

static bool begins_family(const fum_glyph_set *set, int face) {
    return face == 0 || strcmp(fum_glyph_set_face(set, face)->family,
                               fum_glyph_set_face(set, face - 1)->family) != 0;
}

// Returns how many of the families have a smaller hash than this one.
static int rank_of_family(const fum_glyph_set *set, int face) {
    uint64_t hash = hash_name(fum_glyph_set_face(set, face)->family);
    int rank = 0;
    for (int i = 0; i < fum_glyph_set_count(set); i++)
        if (begins_family(set, i) && hash_name(fum_glyph_set_face(set, i)->family) < hash) rank++;
    return rank;
}

// Splits the faces by family: those of the smallest hashes are held out.
static enum fum_result split_faces(struct maker *m, struct fum_error *err) {
    int count = fum_glyph_set_count(m->set), families = 0, used = 0;
    for (int i = 0; i < count; i++) families += begins_family(m->set, i);
    if (families < 2)
        return fum_error_set(err, FUM_ERR_IO,
                             "%d families of fonts draw all %d characters, and at least 2 are "
                             "needed; install more (Debian: fonts-dejavu-core, fonts-liberation2, "
                             "fonts-noto-core)",
                             families, m->classes);
    int apart = FUM_MAX(families / HELD_OUT_SHARE, 1);
    m->faces = fum_arena_alloc(m->arena, (size_t)count, sizeof *m->faces);
    if (!m->faces) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the fonts");
    for (int held = 0; held < 2; held++) {
        m->parts[held].faces = m->faces + used;
        for (int i = 0; i < count; i++)
            if ((rank_of_family(m->set, i) < apart) == (held == 1)) m->faces[used++] = i;
        m->parts[held].face_count = used - (int)(m->parts[held].faces - m->faces);
    }
    return FUM_OK;
}

// ---- drawing ----

// Returns the label of a picture: every class is as frequent as any other.
static int label_of(const struct maker *m, const struct part *part, int64_t index) {
    uint64_t key = fum_draw(m->params->seed, CLASS, part->number, 0);
    return (int)(fum_data_permute(index, part->count, key) % m->classes);
}

static double draw_number(const struct maker *m, int purpose, uint64_t at, double most) {
    return fum_draw_between(fum_draw(m->params->seed, (uint64_t)purpose, at, 0), -most, most);
}

static bool draw_picture(const struct maker *m, const struct part *part, int64_t index,
                         uint8_t *pixels) {
    uint64_t at = (uint64_t)index * 2 + part->number;
    uint64_t face = fum_draw(m->params->seed, FACE, at, 0) % (uint64_t)part->face_count;
    const struct fum_glyph_pick pick = {part->faces[face], label_of(m, part, index)};
    double shift = m->size / 14.0;
    const struct fum_glyph_pose pose = {.scale = 1 + draw_number(m, SCALE, at, 0.15),
                                        .stretch = 1 + draw_number(m, STRETCH, at, 0.15),
                                        .angle = draw_number(m, ANGLE, at, 0.26),
                                        .shear = draw_number(m, SHEAR, at, 0.2),
                                        .x = draw_number(m, SHIFT_X, at, shift),
                                        .y = draw_number(m, SHIFT_Y, at, shift)};
    return fum_glyph_set_draw(m->set, &pick, &pose, m->size, pixels);
}

static enum fum_result look_at_watch(struct maker *m, struct fum_error *err) {
    const struct fum_dataset_watch *watch = &m->params->watch;
    if (watch->progress) watch->progress(watch->user, m->done, m->total);
    if (watch->cancel && watch->cancel(watch->user))
        return fum_error_set(err, FUM_ERR_CANCELLED, "stopped");
    return FUM_OK;
}

// ---- writing ----

static void put32(uint8_t *p, int64_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static enum fum_result write_images(struct maker *m, const struct part *part, fum_file_writer *file,
                                    struct fum_error *err) {
    uint8_t header[16] = {0, 0, 8, 3};
    size_t bytes = (size_t)m->size * (size_t)m->size;
    uint8_t *pixels = fum_arena_alloc(m->arena, bytes, 1);
    if (!pixels) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    put32(header + 4, part->count);
    put32(header + 8, m->size);
    put32(header + 12, m->size);
    enum fum_result result = fum_file_write(file, header, sizeof header, err);
    for (int64_t i = 0; i < part->count && !result; i++) {
        if (!draw_picture(m, part, i, pixels))
            return fum_error_set(err, FUM_ERR_NOMEM, "no memory to draw a character");
        result = fum_file_write(file, pixels, bytes, err);
        m->done++;
        bool look = m->done % WATCH_EVERY == 0 || m->done == m->total;
        if (look && !result) result = look_at_watch(m, err);
    }
    return result;
}

static enum fum_result write_labels(struct maker *m, const struct part *part, fum_file_writer *file,
                                    struct fum_error *err) {
    uint8_t header[8] = {0, 0, 8, 1};
    put32(header + 4, part->count);
    enum fum_result result = fum_file_write(file, header, sizeof header, err);
    for (int64_t i = 0; i < part->count && !result; i++) {
        uint8_t label = (uint8_t)label_of(m, part, i);
        result = fum_file_write(file, &label, 1, err);
    }
    return result;
}

static enum fum_result write_classes(struct maker *m, const struct part *part,
                                     fum_file_writer *file, struct fum_error *err) {
    (void)part;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < m->classes && !result; i++) {
        char line[8];
        size_t bytes = fum_utf8_put(line, m->codes[i]);
        line[bytes] = '\n';
        result = fum_file_write(file, line, bytes + 1, err);
    }
    return result;
}

static enum fum_result write_fonts(struct maker *m, const struct part *part, fum_file_writer *file,
                                   struct fum_error *err) {
    static const char header[] = "part\tfamily\tstyle\tfile\n";
    (void)part;
    enum fum_result result = fum_file_write(file, header, sizeof header - 1, err);
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < m->parts[p].face_count && !result; i++) {
            const struct fum_glyph_face *face = fum_glyph_set_face(m->set, m->parts[p].faces[i]);
            const char *line = fum_arena_printf(m->arena, "%s\t%s\t%s\t%s\n", p ? "test" : "train",
                                                face->family, face->style, face->path);
            if (!line) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the fonts' names");
            result = fum_file_write(file, line, strlen(line), err);
        }
    return result;
}

// Writes all files, which appear only when the last one is complete.
static enum fum_result write_files(struct maker *m, struct fum_error *err) {
    const struct {
        const char *name;
        const struct part *part;
        enum fum_result (*write)(struct maker *m, const struct part *part, fum_file_writer *file,
                                 struct fum_error *err);
    } files[] = {
        {m->parts[0].images, &m->parts[0], write_images},
        {m->parts[0].labels, &m->parts[0], write_labels},
        {m->parts[1].images, &m->parts[1], write_images},
        {m->parts[1].labels, &m->parts[1], write_labels},
        {"classes.txt", NULL, write_classes},
        {"fonts.tsv", NULL, write_fonts},
    };
    fum_file_writer *writers[FUM_COUNT(files)] = {NULL};
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < FUM_COUNT(files) && !result; i++) {
        const char *path = fum_path_join(m->arena, m->params->output, files[i].name);
        if (!path) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
        if (!result) result = fum_file_begin(&writers[i], path, err);
        if (!result) result = files[i].write(m, files[i].part, writers[i], err);
    }
    for (size_t i = 0; i < FUM_COUNT(files) && !result; i++)
        result = fum_file_commit(&writers[i], err);
    for (size_t i = 0; i < FUM_COUNT(files); i++) fum_file_abort(&writers[i]);
    return result;
}

// ---- the data set ----

static enum fum_result make_glyphs(struct maker *m, struct fum_error *err) {
    enum fum_result result = check_request(m, err);
    if (!result) result = fum_path_make_dirs(m->params->output, err);
    if (!result) result = fum_fonts_find(&m->fonts, m->params->fonts, err);
    const struct fum_glyph_request request = {m->codes, m->classes, m->params->watch.log};
    if (!result) result = fum_glyph_set_load(&m->set, &m->fonts, &request, err);
    if (!result) result = split_faces(m, err);
    if (!result) result = look_at_watch(m, err);
    return result ? result : write_files(m, err);
}

enum fum_result fum_dataset_glyphs(const struct fum_dataset_glyphs_params *params,
                                   struct fum_dataset_report *report, struct fum_error *err) {
    struct maker *m = fum_calloc(1, sizeof *m);
    if (m) m->arena = m->fonts.arena = fum_arena_create();
    enum fum_result result = FUM_OK;
    if (!m || !m->arena) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the data set");
    if (!m) return result;
    m->params = params;
    if (!result) result = make_glyphs(m, err);
    if (!result && report)
        *report = (struct fum_dataset_report){.samples = m->parts[0].count,
                                              .held_out = m->parts[1].count,
                                              .classes = m->classes,
                                              .fonts = m->parts[0].face_count,
                                              .held_out_fonts = m->parts[1].face_count,
                                              .skipped = fum_glyph_set_skipped(m->set)};
    fum_glyph_set_free(&m->set);
    fum_free(m->fonts.paths);
    fum_arena_destroy(&m->arena);
    fum_free(m);
    return result;
}

#else

enum fum_result fum_dataset_glyphs(const struct fum_dataset_glyphs_params *params,
                                   struct fum_dataset_report *report, struct fum_error *err) {
    (void)params;
    (void)report;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s", FUM_NO_FREETYPE);
}

#endif
