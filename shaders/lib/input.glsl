// SPDX-License-Identifier: MIT
// Reads inputs by quads: storage buffers, or, with TEXEL_INPUTS defined before, texels, which CPU drivers fetch faster.
// INPUT(binding, block name, name) declares one, and input_load(name, index) reads a quad of it. INPUT_F32 and
// input_load_f32 are the same for inputs that are always f32.
#if defined(TEXEL_INPUTS)
#include "lib/texel.glsl"
#define INPUT(number, Block, name) layout(set = 0, binding = number) uniform TEXELS name
#define input_load(name, index) texel_load(name, index)
#define INPUT_F32(number, Block, name) layout(set = 0, binding = number) uniform samplerBuffer name
#define input_load_f32(name, index) texelFetch(name, int(index))
#else
#define INPUT(number, Block, name) layout(set = 0, binding = number) readonly buffer Block { QUAD name[]; }
#define input_load(name, index) quad_load(name[index])
#define INPUT_F32(number, Block, name) layout(set = 0, binding = number) readonly buffer Block { vec4 name[]; }
#define input_load_f32(name, index) name[index]
#endif
