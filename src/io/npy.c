// SPDX-License-Identifier: MIT
#include "io/npy.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

static const char magic[] = "\x93NUMPY";
enum { MAGIC_BYTES = 6, MAX_HEADER = 1 << 20 };

void fum_npy_free(struct fum_npy *array) {
    fum_free(array->values);
    *array = (struct fum_npy){0};
}

// ---- the header: a Python dict of three entries ----

struct header {
    char type[8]; // "<f8"
    bool fortran;
    size_t begin; // of the values, in the file
    struct fum_npy *array;
};

struct scan {
    const char *at, *end;
};

static void skip_blanks(struct scan *s) {
    while (s->at < s->end && isspace((unsigned char)*s->at)) s->at++;
}

static bool take(struct scan *s, char c) {
    skip_blanks(s);
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

// Takes a quoted text of fewer than `size` bytes.
static bool take_text(struct scan *s, char *text, size_t size) {
    skip_blanks(s);
    if (s->at == s->end || (*s->at != '\'' && *s->at != '"')) return false;
    char quote = *s->at++;
    const char *end = memchr(s->at, quote, (size_t)(s->end - s->at));
    if (!end || (size_t)(end - s->at) >= size) return false;
    memcpy(text, s->at, (size_t)(end - s->at));
    text[end - s->at] = 0;
    s->at = end + 1;
    return true;
}

static bool take_bool(struct scan *s, bool *value) {
    skip_blanks(s);
    size_t left = (size_t)(s->end - s->at);
    *value = left >= 4 && !memcmp(s->at, "True", 4);
    if (!*value && (left < 5 || memcmp(s->at, "False", 5))) return false;
    s->at += *value ? 4 : 5;
    return true;
}

static bool take_number(struct scan *s, uint64_t *value) {
    skip_blanks(s);
    const char *begin = s->at;
    *value = 0;
    for (; s->at < s->end && isdigit((unsigned char)*s->at); s->at++) {
        if (*value > (uint64_t)INT64_MAX / 10 - 1) return false;
        *value = *value * 10 + (uint64_t)(*s->at - '0');
    }
    if (s->at < s->end && *s->at == 'L') s->at++; // of Python 2
    return s->at > begin;
}

static bool take_shape(struct scan *s, struct fum_npy *array) {
    array->rank = 0;
    if (!take(s, '(')) return false;
    while (!take(s, ')')) {
        if (array->rank == FUM_NPY_MAX_DIMS || !take_number(s, &array->dim[array->rank++]))
            return false;
        if (!take(s, ',')) return take(s, ')');
    }
    return true;
}

static bool take_entry(struct scan *s, struct header *h, unsigned *seen) {
    char key[16];
    if (!take_text(s, key, sizeof key) || !take(s, ':')) return false;
    if (!strcmp(key, "descr")) {
        *seen |= 1;
        return take_text(s, h->type, sizeof h->type);
    }
    if (!strcmp(key, "fortran_order")) {
        *seen |= 2;
        return take_bool(s, &h->fortran);
    }
    *seen |= 4;
    return !strcmp(key, "shape") && take_shape(s, h->array);
}

static bool take_header(struct scan *s, struct header *h) {
    unsigned seen = 0;
    if (!take(s, '{')) return false;
    while (!take(s, '}')) {
        if (!take_entry(s, h, &seen)) return false;
        if (!take(s, ',')) return take(s, '}') && seen == 7;
    }
    return seen == 7;
}

static enum fum_result read_header(struct header *h, const uint8_t *data, size_t bytes,
                                   const char *where, struct fum_error *err) {
    if (bytes < MAGIC_BYTES + 6 || memcmp(data, magic, MAGIC_BYTES))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: not a NumPy array (.npy)", where);
    int version = data[MAGIC_BYTES];
    if (version < 1 || version > 3)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: version %d of the .npy format; 1 to 3 are read", where, version);
    size_t prefix = MAGIC_BYTES + (version == 1 ? 4 : 6), length = data[8] | (size_t)data[9] << 8;
    if (version > 1) length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > MAX_HEADER || length > bytes - prefix)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: its header is cut off", where);
    struct scan s = {(const char *)data + prefix, (const char *)data + prefix + length};
    h->begin = prefix + length;
    if (!take_header(&s, h))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: its header is not that of an array of numbers", where);
    return FUM_OK;
}

// ---- the values ----

// Returns the index in the file of value `index` in row-major order, for Fortran's order.
static size_t fortran_index(const struct fum_npy *array, size_t index) {
    size_t coordinate[FUM_NPY_MAX_DIMS], result = 0;
    for (int i = array->rank - 1; i >= 0; i--) {
        coordinate[i] = index % (size_t)array->dim[i];
        index /= (size_t)array->dim[i];
    }
    for (int i = array->rank - 1; i >= 0; i--)
        result = result * (size_t)array->dim[i] + coordinate[i];
    return result;
}

static double read_value(const uint8_t *from, size_t size, bool big) {
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++) bits = bits << 8 | from[big ? i : size - 1 - i];
    if (size == 8) {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    uint32_t half = (uint32_t)bits;
    float value;
    memcpy(&value, &half, sizeof value);
    return (double)value;
}

static enum fum_result count_values(struct fum_npy *array, const char *where,
                                    struct fum_error *err) {
    uint64_t count = 1;
    for (int i = 0; i < array->rank; i++) {
        if (array->dim[i] && count > (uint64_t)INT64_MAX / 16 / array->dim[i])
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: its shape overflows", where);
        count *= array->dim[i];
    }
    array->count = (size_t)count;
    return FUM_OK;
}

static enum fum_result read_values(const struct header *h, const uint8_t *data, size_t bytes,
                                   const char *where, struct fum_error *err) {
    struct fum_npy *array = h->array;
    bool known = strchr("<>=|", h->type[0]) && h->type[0] && h->type[1] == 'f' && !h->type[3];
    size_t size =
        known && (h->type[2] == '4' || h->type[2] == '8') ? (size_t)(h->type[2] - '0') : 0;
    if (!size)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: an array of %s; only f4 and f8 are read", where,
                             fum_text_show(h->type).text);
    enum fum_result result = count_values(array, where, err);
    if (result) return result;
    if (array->count > (bytes - h->begin) / size)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: its shape needs %llu bytes, found %llu: cut off?", where,
                             (ull)array->count * size, (ull)(bytes - h->begin));
    array->values = fum_alloc(array->count, sizeof *array->values);
    if (!array->values)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its values", where);
    for (size_t i = 0; i < array->count; i++) {
        size_t from = h->fortran ? fortran_index(array, i) : i;
        array->values[i] = read_value(data + h->begin + from * size, size, h->type[0] == '>');
    }
    return FUM_OK;
}

enum fum_result fum_npy_parse(struct fum_npy *array, const uint8_t *data, size_t bytes,
                              const char *where, struct fum_error *err) {
    *array = (struct fum_npy){0};
    struct header h = {.array = array};
    enum fum_result result = read_header(&h, data, bytes, where, err);
    return result ? result : read_values(&h, data, bytes, where, err);
}

// ---- archives ----

enum fum_result fum_npz_read(struct fum_npy *array, const struct fum_zip *zip, const char *name,
                             struct fum_error *err) {
    char entry_name[64], where[300];
    uint8_t *data = NULL;
    *array = (struct fum_npy){0};
    snprintf(entry_name, sizeof entry_name, "%s.npy", name);
    const struct fum_zip_entry *entry = fum_zip_find(zip, entry_name);
    if (!entry)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: holds no array \"%s\"", zip->path, name);
    enum fum_result result = fum_zip_read(zip, entry, (uint64_t)4 << 30, &data, err);
    if (result) return result;
    snprintf(where, sizeof where, "%s: %s", fum_text_show(zip->path).text, name);
    result = fum_npy_parse(array, data, (size_t)entry->bytes, where, err);
    fum_free(data);
    return result;
}

// Returns the array as the bytes of a .npy file, freed with fum_free; NULL when memory is out.
static uint8_t *format_npy(const struct fum_npz_array *array, size_t *bytes) {
    enum { HEADER = 128 };
    char text[HEADER];
    size_t count = 1;
    for (int i = 0; i < array->rank; i++) count *= (size_t)array->dim[i];
    *bytes = HEADER + count * sizeof(double);
    uint8_t *data = fum_alloc(*bytes, 1);
    if (!data) return NULL;
    char shape[64];
    if (array->rank == 1)
        snprintf(shape, sizeof shape, "(%llu,)", (ull)array->dim[0]);
    else
        snprintf(shape, sizeof shape, "(%llu, %llu)", (ull)array->dim[0], (ull)array->dim[1]);
    snprintf(text, sizeof text, "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }", shape);
    memset(data, ' ', HEADER);
    memcpy(data, "\x93NUMPY\x01\x00", 8);
    data[8] = HEADER - 10;
    data[9] = 0;
    memcpy(data + 10, text, strlen(text));
    data[HEADER - 1] = '\n';
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &array->values[i], sizeof bits);
        for (size_t b = 0; b < sizeof bits; b++)
            data[HEADER + i * sizeof bits + b] = (uint8_t)(bits >> 8 * b);
    }
    return data;
}

enum fum_result fum_npz_write(const char *path, const struct fum_npz_array *arrays, size_t count,
                              struct fum_error *err) {
    enum { MAX_ARRAYS = 8 };
    struct fum_zip_piece pieces[MAX_ARRAYS];
    uint8_t *data[MAX_ARRAYS] = {0};
    char names[MAX_ARRAYS][64];
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < count && i < MAX_ARRAYS && !result; i++) {
        snprintf(names[i], sizeof names[i], "%s.npy", arrays[i].name);
        data[i] = format_npy(&arrays[i], &pieces[i].bytes);
        pieces[i].name = names[i];
        pieces[i].data = data[i];
        if (!data[i]) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", path);
    }
    if (!result) result = fum_zip_write(path, pieces, FUM_MIN(count, (size_t)MAX_ARRAYS), err);
    for (size_t i = 0; i < MAX_ARRAYS; i++) fum_free(data[i]);
    return result;
}
