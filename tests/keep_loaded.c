// SPDX-License-Identifier: MIT
// Linked into the tests of a sanitizer build only. The Vulkan loader unloads drivers and layers
// when an instance goes; what they leaked could then no longer be told by their names, which
// tests/lsan.supp lists. So nothing is unloaded here.
#include <fumarole/core.h>

FUM_API int dlclose(void *handle);

int dlclose(void *handle) {
    (void)handle;
    return 0;
}
