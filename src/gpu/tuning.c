#include "gpu/tuning.h"

#include "gpu/backend.h"

#include <stdlib.h>
#include <string.h>

const struct fum_tuning *fum_device_tuning(const fum_device *device) {
    return &device->tuning;
}

void fum_device_set_variant(fum_device *device, const char *variant) {
    device->tuning.variant = variant;
}

static int by_key(const void *x, const void *y) {
    uint64_t a = ((const struct fum_tuned *)x)->key, b = ((const struct fum_tuned *)y)->key;
    return a < b ? -1 : a > b;
}

void fum_device_set_tuned(fum_device *device, const struct fum_tuned *items, int count) {
    struct fum_tuning *t = &device->tuning;
    t->count = count < FUM_MAX_TUNED ? count : FUM_MAX_TUNED;
    if (t->count) memcpy(t->items, items, (size_t)t->count * sizeof *items);
    qsort(t->items, (size_t)t->count, sizeof *items, by_key);
}

uint32_t fum_tuning_find(const struct fum_tuning *tuning, uint64_t key, uint32_t otherwise) {
    const struct fum_tuned wanted = {.key = key};
    const struct fum_tuned *found =
        tuning && tuning->count
            ? bsearch(&wanted, tuning->items, (size_t)tuning->count, sizeof wanted, by_key)
            : NULL;
    return found ? found->value : otherwise;
}
