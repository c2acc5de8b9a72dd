// SPDX-License-Identifier: MIT
#include "base/dtype.h"

#include "base/macros.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[FUM_DTYPE_COUNT] = {
    [FUM_F32] = {"f32", 4},   [FUM_F16] = {"f16", 2},         [FUM_BF16] = {"bf16", 2},
    [FUM_I32] = {"i32", 4},   [FUM_F64] = {"f64", 8},         [FUM_I64] = {"i64", 8},
    [FUM_I16] = {"i16", 2},   [FUM_I8] = {"i8", 1},           [FUM_U8] = {"u8", 1},
    [FUM_BOOL] = {"bool", 1}, [FUM_F8_E4M3] = {"f8_e4m3", 1}, [FUM_F8_E5M2] = {"f8_e5m2", 1},
};

const char *fum_dtype_name(enum fum_dtype dtype) {
    return (unsigned)dtype < FUM_DTYPE_COUNT ? types[dtype].name : "unknown";
}

size_t fum_dtype_size(enum fum_dtype dtype) {
    return (unsigned)dtype < FUM_DTYPE_COUNT ? types[dtype].size : 0;
}

static float float_of(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}

// Returns all ones if the condition holds, else 0. The conversions select by masks, since compilers
// do not vectorise loops with branches or floating-point selects.
static uint32_t mask(bool condition) {
    return 0u - (uint32_t)condition;
}

// Converts by shifting into place: a half then is an f32 that is 2^112 too small, subnormal or not.
// The product with 2^112 is exact.
float fum_f16_to_f32(uint16_t h) {
    uint32_t magnitude = h & 0x7fff;
    uint32_t u = fum_bits_of(float_of(magnitude << 13) * 0x1p112f);
    u |= mask(magnitude >= 0x7c00) & 0x7f800000; // infinity and NaN
    return float_of(u | (uint32_t)(h & 0x8000) << 16);
}

uint16_t fum_f32_to_f16(float f) {
    uint32_t u = fum_bits_of(f), sign = (u >> 16) & 0x8000;
    u &= 0x7fffffff;
    uint32_t normal = (u + 0xfff + ((u >> 13) & 1) - 0x38000000) >> 13;
    // Adding 0.5 leaves the mantissa of a subnormal half, rounded to nearest even, in the low bits.
    uint32_t subnormal = fum_bits_of(float_of(u) + 0.5f) - fum_bits_of(0.5f);
    // 65520 and above round to infinity
    uint32_t small = mask(u < 0x38800000), large = mask(u >= 0x477ff000);
    uint32_t h = (subnormal & small) | (normal & ~small);
    h = (h & ~large) | (0x7c00 & large) | (0x200 & mask(u > 0x7f800000)); // NaN
    return (uint16_t)(sign | h);
}

float fum_bf16_to_f32(uint16_t h) {
    return float_of((uint32_t)h << 16);
}

uint16_t fum_f32_to_bf16(float f) {
    uint32_t u = fum_bits_of(f);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

static float f8_to_f32(uint8_t v, int mantissa_bits, int bias, bool e4m3) {
    int exponent = (v & 0x7f) >> mantissa_bits, mantissa = v & ((1 << mantissa_bits) - 1);
    float sign = v & 0x80 ? -1.0f : 1.0f;
    if (e4m3 ? (v & 0x7f) == 0x7f : exponent == 31 && mantissa) return float_of(0x7fc00000);
    if (!e4m3 && exponent == 31) return sign * float_of(0x7f800000);
    float value = (float)mantissa / (float)(1 << mantissa_bits) + (exponent ? 1.0f : 0.0f);
    int power = (exponent ? exponent : 1) - bias;
    for (; power > 0; power--) value *= 2;
    for (; power < 0; power++) value *= 0.5f;
    return sign * value;
}

void fum_convert_to_f32(float *dst, const void *src, enum fum_dtype src_type, size_t count) {
    const uint8_t *bytes = src;
#define EACH(type, expression)                      \
    for (size_t i = 0; i < count; i++) {            \
        type v;                                     \
        memcpy(&v, bytes + i * sizeof v, sizeof v); \
        dst[i] = (float)(expression);               \
    }                                               \
    break
    switch (src_type) {
    case FUM_F32: memcpy(dst, src, count * 4); break;
    case FUM_F16: EACH(uint16_t, fum_f16_to_f32(v));
    case FUM_BF16: EACH(uint16_t, fum_bf16_to_f32(v));
    case FUM_I32: EACH(int32_t, v);
    case FUM_F64: EACH(double, v);
    case FUM_I64: EACH(int64_t, v);
    case FUM_I16: EACH(int16_t, v);
    case FUM_I8: EACH(int8_t, v);
    case FUM_U8: EACH(uint8_t, v);
    case FUM_BOOL: EACH(uint8_t, v != 0);
    case FUM_F8_E4M3: EACH(uint8_t, f8_to_f32(v, 3, 7, true));
    case FUM_F8_E5M2: EACH(uint8_t, f8_to_f32(v, 2, 15, false));
    case FUM_DTYPE_COUNT: break;
    }
#undef EACH
}

void fum_convert_from_f32(void *dst, enum fum_dtype dst_type, const float *src, size_t count) {
    uint16_t *half = dst;
    int32_t *whole = dst;
    switch (dst_type) {
    case FUM_F16:
        for (size_t i = 0; i < count; i++) half[i] = fum_f32_to_f16(src[i]);
        break;
    case FUM_BF16:
        for (size_t i = 0; i < count; i++) half[i] = fum_f32_to_bf16(src[i]);
        break;
    case FUM_I32:
        for (size_t i = 0; i < count; i++) whole[i] = (int32_t)src[i];
        break;
    default: memcpy(dst, src, count * sizeof(float)); break;
    }
}

enum fum_dtype fum_dtype_computed(enum fum_dtype dtype) {
    if (dtype == FUM_F16 || dtype == FUM_BF16) return dtype;
    return fum_dtype_size(dtype) == 1 ? FUM_F16 : FUM_F32;
}

void fum_widen_f32(double *dst, const float *src, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t word = fum_bits_of(src[i]);
        bool nan = (word & 0x7fffffff) > 0x7f800000;
        uint64_t wide = (uint64_t)(word >> 31) << 63 | (uint64_t)0x7ff << 52 |
                        (uint64_t)(word & 0x7fffff) << 29;
        if (nan) // a conversion would quieten it
            memcpy(&dst[i], &wide, sizeof wide);
        else
            dst[i] = src[i];
    }
}

uint32_t fum_f32_word(double x) {
    uint64_t wide;
    memcpy(&wide, &x, sizeof wide);
    if (x != x)
        return (uint32_t)(wide >> 63) << 31 | 0x7f800000 | (uint32_t)(wide >> 29 & 0x7fffff);
    return fum_bits_of((float)x);
}

float fum_round_to(enum fum_dtype dtype, float f) {
    if (dtype == FUM_F16) return fum_f16_to_f32(fum_f32_to_f16(f));
    if (dtype == FUM_BF16) return fum_bf16_to_f32(fum_f32_to_bf16(f));
    return f;
}
