// SPDX-License-Identifier: MIT
// Shrinks the scale of the loss after a skipped step, and grows it after many good ones. One invocation does it.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"

layout(set = 0, binding = 0) buffer Scale { float scale[]; };
layout(set = 0, binding = 1) buffer Steps { int steps[]; };
layout(set = 0, binding = 2) readonly buffer Factor { float factor[]; };

#include "loss_scale_update.pc.h"

void main() {
    if (item_index() != 0u) return;
    bool skipped = factor[0] == 0.0, grows = steps[0] + 1 >= interval;
    if (skipped) scale[0] *= backoff;
    else if (grows) scale[0] *= growth;
    steps[0] = skipped || grows ? 0 : steps[0] + 1;
}
