// SPDX-License-Identifier: MIT
// Lets C and GLSL share the declaration of a kernel's push constants. NAME.pc.h declares them as
//
//     PUSH_CONSTANTS(fum_NAME_push) { uint quads; float scale; };
//
// which is a structure in C and a block of global constants in GLSL.
#ifndef FUM_SHADERS_PUSH_H
#define FUM_SHADERS_PUSH_H

#ifdef VULKAN // GLSL
#define PUSH_CONSTANTS(name) layout(push_constant) uniform name
#else
#include <stdint.h>
typedef uint32_t uint;
#define PUSH_CONSTANTS(name) struct name
#endif

#endif
