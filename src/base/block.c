// SPDX-License-Identifier: MIT
#include "base/block.h"

#include "base/dtype.h"

#include <math.h>
#include <string.h>
#include <strings.h>

const struct fum_block_type *const fum_block_types[FUM_BLOCK_TYPES + 1] = {
    &fum_block_q8_0,
    &fum_block_q4_0,
    &fum_block_q4_1,
    &fum_block_q5_0,
    &fum_block_q5_1, //
    &fum_block_q2_K,
    &fum_block_q3_K,
    &fum_block_q4_K,
    &fum_block_q5_K,
    &fum_block_q6_K, //
    NULL,
};

const char *fum_block_name(size_t index) {
    return index < FUM_BLOCK_TYPES ? fum_block_types[index]->name : NULL;
}

const struct fum_block_type *fum_block_find(const char *name) {
    for (int i = 0; fum_block_types[i]; i++)
        if (!strcasecmp(fum_block_types[i]->name, name)) return fum_block_types[i];
    return NULL;
}

const struct fum_block_type *fum_block_of_number(uint32_t number) {
    for (int i = 0; fum_block_types[i]; i++)
        if (fum_block_types[i]->number == number) return fum_block_types[i];
    return NULL;
}

float fum_block_half(const uint8_t *bytes) {
    return fum_f16_to_f32((uint16_t)(bytes[0] | bytes[1] << 8));
}

void fum_block_put_half(uint8_t *bytes, float value) {
    uint16_t half = fum_f32_to_f16(value);
    bytes[0] = (uint8_t)half;
    bytes[1] = (uint8_t)(half >> 8);
}

void fum_blocks_read(const struct fum_block_type *type, const uint8_t *blocks, size_t count,
                     float *values) {
    struct fum_block_codes codes;
    for (size_t b = 0; b < count; b++) {
        type->unpack(blocks + b * (size_t)type->bytes, &codes);
        float *to = values + b * (size_t)type->values;
        for (int i = 0; i < type->values; i += type->group) {
            int g = i / type->group;
            // One statement an operation, since a fused one would round otherwise.
            float scale = codes.factor * codes.scale[g];
            float shift = codes.offset * codes.minimum[g];
            for (int k = i; k < i + type->group; k++) {
                float product = scale * codes.code[k];
                to[k] = product - shift;
            }
        }
    }
}

static int all_finite(const float *values, int count) {
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i])) return 0;
    return 1;
}

void fum_blocks_write(const struct fum_block_type *type, const float *values, size_t count,
                      uint8_t *blocks) {
    static const float zeros[FUM_BLOCK_MAX_VALUES];
    struct fum_block_codes codes;
    for (size_t b = 0; b < count; b++, values += type->values, blocks += type->bytes) {
        if (all_finite(values, type->values)) {
            type->quantise(values, blocks);
            continue;
        }
        type->quantise(zeros, blocks);
        // A factor is the first or the last field of every type.
        fum_block_put_half(blocks, NAN);
        type->unpack(blocks, &codes);
        if (!isnan(codes.factor)) fum_block_put_half(blocks + type->bytes - 2, NAN);
    }
}
