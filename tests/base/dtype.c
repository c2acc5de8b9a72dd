// SPDX-License-Identifier: MIT
// Conversions of element types over every half and bfloat16, and rounding to nearest even.

#include "test.h"

#include <math.h>

#include "base/dtype.h"

// The value that the bits of an f16 mean, by the format's definition (IEEE 754 binary16).
static double half_value(int h) {
    int exponent = (h >> 10) & 31, mantissa = h & 0x3ff;
    double sign = h & 0x8000 ? -1 : 1;
    if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24));
}

static void every_half_converts_exactly(void **state) {
    (void)state;
    for (int h = 0; h < 65536; h++) {
        double want = half_value(h);
        float got = fum_f16_to_f32((uint16_t)h);
        if (isnan(want)) {
            assert_true(isnan(got) && isnan(fum_f16_to_f32(fum_f32_to_f16(got))));
            continue;
        }
        assert_true((double)got == want && !signbit(got) == !signbit(want));
        assert_int_equal(fum_f32_to_f16(got), h); // and back
    }
}

// Halfway between two neighbours goes to the even one; just past it to the nearer one.
static void halves_round_to_nearest_even(void **state) {
    (void)state;
    for (int h = 0; h < 0x7bff; h++) {
        float low = fum_f16_to_f32((uint16_t)h), high = fum_f16_to_f32((uint16_t)(h + 1)),
              middle = (low + high) / 2;
        assert_int_equal(fum_f32_to_f16(middle), h % 2 ? h + 1 : h);
        assert_int_equal(fum_f32_to_f16(nextafterf(middle, high)), h + 1);
        assert_int_equal(fum_f32_to_f16(nextafterf(middle, low)), h);
    }
    assert_int_equal(fum_f32_to_f16(65519.0f), 0x7bff);
    assert_int_equal(fum_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(fum_f32_to_f16(-1e30f), 0xfc00);
}

static void every_bf16_converts_exactly(void **state) {
    (void)state;
    for (int h = 0; h < 65536; h++) {
        float f = fum_bf16_to_f32((uint16_t)h);
        if (isnan(f))
            assert_true(isnan(fum_bf16_to_f32(fum_f32_to_bf16(f))));
        else
            assert_int_equal(fum_f32_to_bf16(f), h);
    }
    assert_int_equal(fum_f32_to_bf16(1.00390625f), 0x3f80); // 1 + 2^-8: halfway, to even
    assert_int_equal(fum_f32_to_bf16(1.01171875f), 0x3f82); // 1 + 3 * 2^-8
}

static void other_types_convert(void **state) {
    (void)state;
    const int8_t bytes[] = {-128, -1, 0, 127};
    const double doubles[] = {-1.5, 1e300};
    const uint8_t e4m3[] = {0x38, 0x7e, 0x01, 0xc0}, e5m2[] = {0x3c, 0x7b, 0x01, 0xfc};
    float out[4];
    fum_convert_to_f32(out, bytes, FUM_I8, 4);
    assert_true(out[0] == -128 && out[1] == -1 && out[2] == 0 && out[3] == 127);
    fum_convert_to_f32(out, doubles, FUM_F64, 2);
    assert_true(out[0] == -1.5f && isinf(out[1]));
    fum_convert_to_f32(out, e4m3, FUM_F8_E4M3, 4);
    assert_true(out[0] == 1 && out[1] == 448 && out[2] == 0x1p-9f && out[3] == -2);
    fum_convert_to_f32(out, e5m2, FUM_F8_E5M2, 4);
    assert_true(out[0] == 1 && out[1] == 57344 && out[2] == 0x1p-16f && out[3] == -INFINITY);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_half_converts_exactly),
                                       cmocka_unit_test(halves_round_to_nearest_even),
                                       cmocka_unit_test(every_bf16_converts_exactly),
                                       cmocka_unit_test(other_types_convert)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
