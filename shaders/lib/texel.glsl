// SPDX-License-Identifier: MIT
// Reads quads as texels of a buffer view. On CPU drivers a fetch is a few vector loads and shuffles for all lanes. A
// load from a storage buffer is a loop over the lanes with a check for each component, several times slower.
#if defined(STORAGE_BF16)
#define TEXELS usamplerBuffer
vec4 texel_quad(uvec4 t) { return uintBitsToFloat(t << 16); }
#else
#define TEXELS samplerBuffer
vec4 texel_quad(vec4 t) { return t; }
#endif
#define texel_load(t, i) texel_quad(texelFetch(t, int(i)))
