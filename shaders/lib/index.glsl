// SPDX-License-Identifier: MIT
// The workgroup's width is specialisation constant 0 of every shader; those of the shader itself start at 3.
#extension GL_EXT_control_flow_attributes : require
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint TURNS = 1;

// The linear number of the workgroup when fum_groups_1d spread them over x and y.
uint group_index() { return gl_WorkGroupID.x + gl_NumWorkGroups.x * gl_WorkGroupID.y; }
// The linear number of the invocation over all workgroups.
uint item_index() { return group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x; }

// Defines main for a kernel of short items (fum_emit_quads), which an invocation computes TURNS of, one after the other.
// EACH_ITEM_AFTER first does what all of them share.
#define EACH_ITEM_AFTER(prepare, compute)                                                                     \
    void main() {                                                                                             \
        uint first = group_index() * TURNS * gl_WorkGroupSize.x + gl_LocalInvocationID.x;                     \
        prepare;                                                                                              \
        [[dont_unroll]] for (uint turn = 0u; turn < TURNS; turn++) compute(first + turn * gl_WorkGroupSize.x); \
    }
#define EACH_ITEM(compute) EACH_ITEM_AFTER(, compute)

// Returns a / b, for a below 2^31 and b below 2^24. CPU drivers divide integers one lane after the other, so the kernels
// of texels divide as floats. The first quotient may be off by a / 2^23 / b + 1, the second step corrects it.
#if defined(TEXEL_INPUTS)
uint divide(uint a, uint b) {
    int q = int(float(int(a)) / float(int(b)));
    return uint(q + int(floor(float(int(a) - q * int(b)) / float(int(b)))));
}
#else
uint divide(uint a, uint b) { return a / b; }
#endif
