// SPDX-License-Identifier: MIT
// Keeps libraries loaded in the tests of a sanitizer build; other builds do not link it. The Vulkan
// loader unloads drivers and layers when an instance goes. Their leaks would then lose the names
// that tests/lsan.supp lists.
#include <fumarole/core.h>

FUM_API int dlclose(void *handle);

int dlclose(void *handle) {
    (void)handle;
    return 0;
}
