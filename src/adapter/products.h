// SPDX-License-Identifier: MIT
// Products of low rank that a graph adds to the results of linear layers, in place of changes to
// their weights.
#ifndef FUM_ADAPTER_PRODUCTS_H
#define FUM_ADAPTER_PRODUCTS_H

#include "adapter/adapter.h"
#include "adapter/change.h"

typedef struct fum_adapter_products fum_adapter_products;

// True if a layer's result can have the change in place of its weight: a plain LoRA of a linear
// layer.
bool fum_adapter_product_serves(const struct fum_adapter_change *change);

// Creates the products of changes that serve, sorted by component and weight. Those of one layer
// become one product, of the sum of their ranks. The changes must outlive it.
enum fum_result fum_adapter_products_create(fum_adapter_products **products,
                                            const struct fum_adapter_change *changes, size_t count,
                                            struct fum_error *err);
void fum_adapter_products_destroy(fum_adapter_products **products);

// Does the same as fum_adapters_find_product and fum_adapters_find. `products` may be NULL.
bool fum_adapter_products_find(const fum_adapter_products *products, const char *component,
                               const char *module, struct fum_adapters_product *product);
bool fum_adapter_products_weight(const fum_adapter_products *products, const char *component,
                                 const char *name, struct fum_view *view);
bool fum_adapter_products_any(const fum_adapter_products *products, const char *component);
// Does the same as fum_adapters_same_products. Both may be NULL.
bool fum_adapter_products_same(const fum_adapter_products *a, const fum_adapter_products *b,
                               const char *component);
// Stores the names of the weights of a component's products, and returns their number. Both
// `products` and `names` may be NULL.
size_t fum_adapter_products_list(const fum_adapter_products *products, const char *component,
                                 const char **names);

#endif
