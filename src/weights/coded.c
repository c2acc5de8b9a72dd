// SPDX-License-Identifier: MIT
#include "weights/coded.h"

#include "base/macros.h"
#include "weights/transpose.h"

#include <assert.h>
#include <string.h>

enum { OUTPUTS = FUM_PACK_LINE / sizeof(uint32_t), GROUP_BYTES = 4 };

// The rows of a block where its parts begin.
struct rows {
    int high, scales, minimums, factor, offset, end;
};

static struct rows find_rows(const struct fum_block *block) {
    const struct fum_coded *c = block->coded;
    int each = c->minimums ? block->terms / block->type->group / GROUP_BYTES : 0;
    struct rows r = {.high = block->terms * c->low_bits / 32};
    r.scales = r.high + block->terms * c->high_bits / 32;
    r.minimums = r.scales + each;
    r.factor = r.minimums + each;
    r.offset = r.factor + 1;
    r.end = r.offset + c->minimums;
    assert(r.end == block->rows && r.end <= FUM_CODED_MAX_ROWS);
    return r;
}

struct fum_view fum_coded_view(const struct fum_shape *shape, int terms, int rows) {
    const int64_t *d = shape->dim;
    if (shape->rank != 2) return (struct fum_view){0};
    return (struct fum_view){.rank = 2, .dim = {d[1], d[0] / rows * terms}};
}

// Writes a block's words.
static void write_words(const struct fum_block *block, const struct rows *rows,
                        const uint8_t *stored, uint32_t *words) {
    const struct fum_coded *c = block->coded;
    struct fum_block_codes codes;
    block->type->unpack(stored, &codes);
    memset(words, 0, (size_t)rows->end * sizeof *words);
    int low = 32 / c->low_bits, high = c->high_bits ? 32 / c->high_bits : 1;
    for (int i = 0; i < block->terms; i++) {
        uint32_t code = (uint32_t)(codes.code[i] + c->zero);
        words[i / low] |= (code & ((1u << c->low_bits) - 1)) << i % low * c->low_bits;
        if (c->high_bits)
            words[rows->high + i / high] |= code >> c->low_bits << i % high * c->high_bits;
    }
    for (int g = 0; c->minimums && g < block->terms / block->type->group; g++) {
        int shift = 8 * (g % GROUP_BYTES), at = g / GROUP_BYTES;
        words[rows->scales + at] |= (uint32_t)codes.scale[g] << shift;
        words[rows->minimums + at] |= (uint32_t)codes.minimum[g] << shift;
    }
    memcpy(&words[rows->factor], &codes.factor, sizeof codes.factor);
    if (c->minimums) memcpy(&words[rows->offset], &codes.offset, sizeof codes.offset);
}

// Returns a block of an output as the file stores it, or quantises its values into `own`.
static const uint8_t *find_block(const struct fum_pack_job *job, int64_t index, uint8_t *own) {
    const struct fum_block *block = job->packing->block;
    if (job->view->blocks)
        return (const uint8_t *)job->view->block_data + index * block->type->bytes;
    float values[FUM_BLOCK_MAX_VALUES];
    fum_pack_convert(values, FUM_F32, job->view, index * block->terms, block->terms);
    fum_blocks_write(block->type, values, 1, own);
    return own;
}

// Works on a cache line of outputs and a block at a time.
void fum_coded_pack(const struct fum_pack_job *job) {
    const struct fum_pack_target *to = &job->to;
    const struct fum_block *block = job->packing->block;
    const struct rows rows = find_rows(block);
    int64_t blocks = job->view->dim[1] / block->terms, from = to->first / block->rows,
            end = FUM_DIV_UP(to->first + to->count, block->rows);
    uint8_t own[FUM_BLOCK_MAX_BYTES];
    uint32_t words[FUM_CODED_MAX_ROWS];
    for (int64_t first = 0; first < job->columns; first += OUTPUTS)
        for (int64_t b = from; b < end; b++)
            for (int64_t o = first; o < FUM_MIN(first + OUTPUTS, job->columns); o++) {
                int64_t top = b * block->rows - to->first;
                write_words(block, &rows, find_block(job, o * blocks + b, own), words);
                for (int64_t r = FUM_MAX(-top, 0); r < rows.end && top + r < to->count; r++)
                    ((uint32_t *)to->data)[(top + r) * to->row_elements + o] = words[r];
            }
}

// Returns `bits` bits of a plane whose first word is `words`.
static uint32_t read_bits(const uint32_t *words, int64_t stride, int bits, int index) {
    int each = 32 / bits;
    return words[index / each * stride] >> index % each * bits & ((1u << bits) - 1);
}

static double read_float(const uint32_t *word) {
    float value;
    memcpy(&value, word, sizeof value);
    return value;
}

double fum_coded_term(const struct fum_block *block, const uint32_t *words, int64_t stride,
                      int term) {
    const struct fum_coded *c = block->coded;
    const struct rows rows = find_rows(block);
    uint32_t code = read_bits(words, stride, c->low_bits, term);
    if (c->high_bits)
        code |= read_bits(words + rows.high * stride, stride, c->high_bits, term) << c->low_bits;
    double factor = read_float(words + rows.factor * stride), integer = (double)code - c->zero;
    if (!c->minimums) return factor * integer;
    int group = term / block->type->group;
    uint32_t scale = read_bits(words + rows.scales * stride, stride, 8, group),
             minimum = read_bits(words + rows.minimums * stride, stride, 8, group);
    return factor * scale * integer - read_float(words + rows.offset * stride) * minimum;
}
