// SPDX-License-Identifier: MIT
// The rate of an update and the corrections of Adam's moments, by one invocation.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "lib/trig.glsl"
#include "lib/elementary.glsl"

#define CONSTANT 0
#define LINEAR 1

layout(constant_id = 3) const uint SCHEDULE = 0;

layout(set = 0, binding = 0) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 1) writeonly buffer Y { vec4 y[]; };

#include "learning_rate.pc.h"

float schedule_at(int k) {
    if (SCHEDULE == CONSTANT || k < warmup) return 1.0;
    float r = steps > warmup ? div_exact(float(max(steps - k, 0)), float(steps - warmup)) : 1.0;
    float wave, unused;
    sin_cos(1.5707963267948966 * r, wave, unused);
    return SCHEDULE == LINEAR ? r : wave * wave;
}

void main() {
    if (item_index() != 0u) return;
    int k = counter[0];
    float warm = warmup > 0 ? min(1.0, div_exact(float(k + 1), float(warmup))) : 1.0;
    float count = float(k + 1);
    y[0] = vec4(lr * warm * schedule_at(k), -expm1_any(count * log_beta1), -expm1_any(count * log_beta2), 0.0);
}
