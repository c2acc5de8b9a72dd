// SPDX-License-Identifier: MIT
#include "io/tensors.h"

#include <stdlib.h>
#include <string.h>

void fum_tensors_free(struct fum_tensors *tensors) {
    fum_free(tensors->items);
    fum_free(tensors->texts);
    *tensors = (struct fum_tensors){0};
}

bool fum_tensors_add(struct fum_tensors *t, const struct fum_loader_tensor *tensor) {
    char *name = fum_arena_strdup(t->arena, tensor->name);
    char *type = fum_arena_strdup(t->arena, tensor->type);
    if (!name || !type || !fum_grow((void **)&t->items, &t->capacity, t->count, sizeof *t->items))
        return false;
    t->items[t->count] = *tensor;
    t->items[t->count].type = type;
    t->items[t->count++].name = name;
    return true;
}

bool fum_tensors_add_text(struct fum_tensors *t, const char *key, const char *value) {
    struct fum_tensors_text text = {fum_arena_strdup(t->arena, key),
                                    fum_arena_strdup(t->arena, value)};
    if (!text.key || !text.value ||
        !fum_grow((void **)&t->texts, &t->text_capacity, t->text_count, sizeof *t->texts))
        return false;
    t->texts[t->text_count++] = text;
    return true;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct fum_loader_tensor *)a)->name,
                  ((const struct fum_loader_tensor *)b)->name);
}

const struct fum_loader_tensor *fum_tensors_sort(struct fum_tensors *t) {
    if (t->count) qsort(t->items, t->count, sizeof *t->items, by_name);
    for (size_t i = 1; i < t->count; i++)
        if (!strcmp(t->items[i - 1].name, t->items[i].name)) return &t->items[i - 1];
    return NULL;
}

size_t fum_tensors_lower_bound(const struct fum_tensors *t, const char *name, size_t length) {
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strncmp(t->items[mid].name, name, length) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
