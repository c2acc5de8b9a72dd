// SPDX-License-Identifier: MIT
// Converts between element types, rounding to nearest even if precision is lost.
#ifndef FUM_BASE_DTYPE_H
#define FUM_BASE_DTYPE_H

#include <fumarole/core.h>

float fum_f16_to_f32(uint16_t h);
uint16_t fum_f32_to_f16(float f); // over the range becomes infinity
float fum_bf16_to_f32(uint16_t h);
uint16_t fum_f32_to_bf16(float f);

// Converts `count` elements of any type to f32, and f32 to a storage type (f32, f16, bf16, i32).
// `src` may be unaligned, as in mapped files. Arrays must not overlap.
void fum_convert_to_f32(float *dst, const void *src, enum fum_dtype src_type, size_t count);
void fum_convert_from_f32(void *dst, enum fum_dtype dst_type, const float *src, size_t count);

// Returns the type that computed values of a weight are written in: its own, unless it has too few
// digits or more than f32.
enum fum_dtype fum_dtype_computed(enum fum_dtype dtype);

// Converts f32 to f64. NaNs keep their payload, because packed words travel as f32 values.
void fum_widen_f32(double *dst, const float *src, size_t count);
// Returns the 32 bits of the f32 value that fum_widen_f32 made `x` from.
uint32_t fum_f32_word(double x);

// Returns the value of f32 `f` after it was stored as `dtype` and read back.
float fum_round_to(enum fum_dtype dtype, float f);

#endif
