// Up to six tensors one after the other: every run of quads of the output is a run of each input. One invocation per quad
// of the output.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/raw.glsl"
#include "lib/index.glsl"

layout(set = 0, binding = 0) readonly buffer X0 { RAW x0[]; };
layout(set = 0, binding = 1) readonly buffer X1 { RAW x1[]; };
layout(set = 0, binding = 2) readonly buffer X2 { RAW x2[]; };
layout(set = 0, binding = 3) readonly buffer X3 { RAW x3[]; };
layout(set = 0, binding = 4) readonly buffer X4 { RAW x4[]; };
layout(set = 0, binding = 5) readonly buffer X5 { RAW x5[]; };
layout(set = 0, binding = 6) writeonly buffer Y { RAW y[]; };

// Where in a run of the output each input ends; those that are not there end with the run.
layout(push_constant) uniform Push { uint items, run, end0, end1, end2, end3, end4; };

void main() {
    uint i = item_index();
    if (i >= items) return;
    uint n = i / run, q = i % run;
    RAW v;
    if (q < end0) v = x0[n * end0 + q];
    else if (q < end1) v = x1[n * (end1 - end0) + q - end0];
    else if (q < end2) v = x2[n * (end2 - end1) + q - end1];
    else if (q < end3) v = x3[n * (end3 - end2) + q - end2];
    else if (q < end4) v = x4[n * (end4 - end3) + q - end3];
    else v = x5[n * (run - end4) + q - end4];
    y[i] = v;
}
