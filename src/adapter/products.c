// SPDX-License-Identifier: MIT
#include "adapter/products.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

// The changes of one layer, and the two matrices that they come to.
struct product {
    const struct fum_adapter_change *changes;
    size_t count;
    int64_t rank, in, out;
    const char *down, *up; // names of the matrices
    struct fum_computed compute_down, compute_up;
};

struct fum_adapter_products {
    fum_arena *arena;
    struct product *list;
    size_t count;
};

static int64_t rank_of(const struct fum_adapter_change *change) {
    return fum_adapter_dim(&change->layer, FUM_ADAPTER_DOWN, 0);
}

bool fum_adapter_product_serves(const struct fum_adapter_change *change) {
    const struct fum_adapter_layer *layer = &change->layer;
    return layer->kind == &fum_adapter_lora && change->target->linear &&
           !layer->tensors[FUM_ADAPTER_MID] && !layer->tensors[FUM_ADAPTER_DORA] &&
           !layer->tensors[FUM_ADAPTER_MAGNITUDE];
}

// ---- the matrices ----

// Writes [rank, in], the rows of one change after another.
static enum fum_result write_down(const void *user, float *values, struct fum_error *err) {
    const struct product *p = user;
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < p->count && !result; i++) {
        const struct fum_adapter_change *c = &p->changes[i];
        result = fum_view_read_f32(&c->layer.tensors[FUM_ADAPTER_DOWN]->view, values, err);
        values += rank_of(c) * p->in;
    }
    return result;
}

// Copies [out, rank] of one change, scaled, to the columns of the whole from `column` on.
static enum fum_result write_columns(const struct product *p, const struct fum_adapter_change *c,
                                     int64_t column, float *values, struct fum_error *err) {
    int64_t rank = rank_of(c);
    float *up = NULL;
    double scale = 1;
    enum fum_result result = fum_adapter_scale(&c->layer, rank, &scale, err);
    if (!result) result = fum_adapter_read(&c->layer, FUM_ADAPTER_UP, &up, err);
    float factor = (float)(scale * c->layer.strength);
    for (int64_t r = 0; r < p->out && !result; r++)
        for (int64_t k = 0; k < rank; k++)
            values[r * p->rank + column + k] = factor * up[r * rank + k];
    fum_free(up);
    return result;
}

static enum fum_result write_up(const void *user, float *values, struct fum_error *err) {
    const struct product *p = user;
    enum fum_result result = FUM_OK;
    int64_t column = 0;
    for (size_t i = 0; i < p->count && !result; i++) {
        result = write_columns(p, &p->changes[i], column, values, err);
        column += rank_of(&p->changes[i]);
    }
    return result;
}

// ---- the list ----

static bool same_layer(const struct fum_adapter_change *a, const struct fum_adapter_change *b) {
    return a->target->component == b->target->component && !strcmp(a->weight, b->weight);
}

// Completes the description of a product whose changes are known.
static bool describe(fum_adapter_products *products, struct product *p) {
    const struct fum_adapter_layer *layer = &p->changes[0].layer;
    const char *module = p->changes[0].target->module;
    for (size_t i = 0; i < p->count; i++) p->rank += rank_of(&p->changes[i]);
    p->in = fum_adapter_count(layer, FUM_ADAPTER_DOWN) / rank_of(&p->changes[0]);
    p->out = fum_adapter_dim(layer, FUM_ADAPTER_UP, 0);
    p->down = fum_arena_printf(products->arena, "%s.lora_down.weight", module);
    p->up = fum_arena_printf(products->arena, "%s.lora_up.weight", module);
    p->compute_down = (struct fum_computed){write_down, p};
    p->compute_up = (struct fum_computed){write_up, p};
    return p->down && p->up;
}

static bool list_products(fum_adapter_products *products, const struct fum_adapter_change *changes,
                          size_t count) {
    products->list = fum_arena_alloc(products->arena, count + 1, sizeof *products->list);
    if (!products->list) return false;
    for (size_t i = 0; i < count; i++) {
        if (i && same_layer(&changes[i - 1], &changes[i])) {
            products->list[products->count - 1].count++;
            continue;
        }
        products->list[products->count++] = (struct product){.changes = &changes[i], .count = 1};
    }
    for (size_t i = 0; i < products->count; i++)
        if (!describe(products, &products->list[i])) return false;
    return true;
}

enum fum_result fum_adapter_products_create(fum_adapter_products **out,
                                            const struct fum_adapter_change *changes, size_t count,
                                            struct fum_error *err) {
    fum_adapter_products *products = *out = fum_calloc(1, sizeof *products);
    if (products) products->arena = fum_arena_create();
    if (products && products->arena && list_products(products, changes, count)) return FUM_OK;
    fum_adapter_products_destroy(out);
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for adapters");
}

void fum_adapter_products_destroy(fum_adapter_products **products) {
    if (!products || !*products) return;
    fum_arena_destroy(&(*products)->arena);
    fum_free(*products);
    *products = NULL;
}

// ---- lookup ----

static bool is_of(const struct product *p, const char *component) {
    return !strcmp(p->changes[0].target->component, component);
}

// Returns the component's next product from *at on, and steps behind it. NULL: there is none.
static const struct product *next_of(const fum_adapter_products *products, const char *component,
                                     size_t *at) {
    while (products && *at < products->count)
        if (is_of(&products->list[(*at)++], component)) return &products->list[*at - 1];
    return NULL;
}

bool fum_adapter_products_any(const fum_adapter_products *products, const char *component) {
    size_t at = 0;
    return next_of(products, component, &at) != NULL;
}

bool fum_adapter_products_same(const fum_adapter_products *a, const fum_adapter_products *b,
                               const char *component) {
    size_t at_a = 0, at_b = 0;
    for (;;) {
        const struct product *p = next_of(a, component, &at_a), *q = next_of(b, component, &at_b);
        if (!p || !q) return p == q;
        if (p->rank != q->rank || strcmp(p->down, q->down)) return false;
    }
}

size_t fum_adapter_products_list(const fum_adapter_products *products, const char *component,
                                 const char **names) {
    size_t count = 0, at = 0;
    for (const struct product *p; (p = next_of(products, component, &at)); count += 2) {
        if (names) names[count] = p->down;
        if (names) names[count + 1] = p->up;
    }
    return count;
}

bool fum_adapter_products_find(const fum_adapter_products *products, const char *component,
                               const char *module, struct fum_adapters_product *found) {
    for (size_t i = 0; products && i < products->count; i++) {
        const struct product *p = &products->list[i];
        if (!is_of(p, component) || strcmp(p->changes[0].target->module, module)) continue;
        *found = (struct fum_adapters_product){p->down, p->up, p->rank};
        return true;
    }
    return false;
}

bool fum_adapter_products_weight(const fum_adapter_products *products, const char *component,
                                 const char *name, struct fum_view *view) {
    for (size_t i = 0; products && i < products->count; i++) {
        const struct product *p = &products->list[i];
        if (!is_of(p, component)) continue;
        bool down = !strcmp(p->down, name);
        if (!down && strcmp(p->up, name)) continue;
        *view = (struct fum_view){.dtype = FUM_F32,
                                  .rank = 2,
                                  .dim = {down ? p->rank : p->out, down ? p->in : p->rank},
                                  .computed = down ? &p->compute_down : &p->compute_up};
        return true;
    }
    return false;
}
