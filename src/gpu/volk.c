// SPDX-License-Identifier: MIT
// The one place where volk, which loads the Vulkan loader and its functions, is compiled.
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpedantic" // dlsym gives object pointers
#endif
#define VOLK_IMPLEMENTATION
#include <volk.h>
