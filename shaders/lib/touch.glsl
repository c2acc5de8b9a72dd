// SPDX-License-Identifier: MIT
// Touches what a workgroup is about to write, on CPU drivers. They store elements one by one, and in order: a store whose
// cache line is far away holds up all later ones. Fetches of several lines wait for them at once. A kernel declares the
// buffer that it writes once more, as texels. It adds the result, which is 0, to an index of its stores, so that the
// compiler keeps the fetches.
#extension GL_EXT_control_flow_attributes : require

#define LINE_QUADS 4u // of f32 in a cache line of 64 bytes

// `old` is the buffer, of `count` quads, which `load` fetches. ROWS windows, a constant, of a quad for each invocation start
// at `first` and every `step` quads from there on. `zero` is 0, in a push constant.
#define TOUCH_LINES(load, old, ROWS, first, step, count, result)                                    \
    uint result = 0u;                                                                               \
    [[unroll]] for (uint f_ = 0u; f_ < ((ROWS) + LINE_QUADS - 1u) / LINE_QUADS; f_++) {             \
        uint line_ = f_ * gl_WorkGroupSize.x + gl_LocalInvocationID.x;                              \
        uint each_ = gl_WorkGroupSize.x / LINE_QUADS;                                               \
        uint at_ = (first) + line_ / each_ * (step) + line_ % each_ * LINE_QUADS;                   \
        result |= floatBitsToUint(load(old, min(at_, (count) - 1u)).x);                             \
    }                                                                                               \
    result &= zero;
