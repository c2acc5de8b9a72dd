// SPDX-License-Identifier: MIT
// libFuzzer target of the tuning file: whole with any choices, or damaged.
#include "damage.h"
#include "fitted_parts.h"
#include "gpu/backend.h"
#include "gpu/tuning.h"

#include <fumarole/tuning.h>

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 40 };

static fum_device *open_device(void) {
    fum_device *device = NULL;
    struct fum_error err = {0};
    if (fum_device_create_planning(&device, "v3d", &err)) abort();
    fum_device_load_tuning(device, fitted_folder());
    return device;
}

static void save(struct choices *c, int count) {
    struct fum_tuned items[MOST];
    struct fum_error err = {0};
    fum_device *device = open_device();
    for (int i = 0; i < count; i++)
        items[i] = (struct fum_tuned){(uint64_t)choose(c, 65536) * UINT64_C(0x9e3779b97f4a7c15),
                                      choose(c, 65536), 0};
    fum_device_set_tuned(device, items, count);
    fitted_expect(fum_device_save_tuning(device, &err), &err);
    fum_device_destroy(&device);
}

// Changes a few bytes of the file in place, or cuts it off.
static void damage(const char *path, struct choices *c) {
    char bytes[sizeof(struct fum_tuned) * (MOST + 4)];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (!file || fclose(file)) fitted_fail(path);
    for (uint32_t n = choose(c, 4); n && size; n--)
        bytes[choose(c, 65536) % size] = (char)choose(c, 256);
    if (one_in(c, 2)) size = choose(c, 65536) % (size + 1);
    file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file)) fitted_fail(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    int count = 1 + (int)choose(&c, MOST);
    save(&c, count);
    fum_device *device = open_device();
    if (fum_device_tuned(device) < 1) abort();
    bool damaged = one_in(&c, 2);
    if (damaged) damage(device->tuning_path, &c);
    char path[512];
    snprintf(path, sizeof path, "%s", device->tuning_path);
    fum_device_destroy(&device);
    device = open_device();
    if (fum_device_tuned(device) > count) abort();
    fum_device_destroy(&device);
    remove(path);
    return 0;
}
