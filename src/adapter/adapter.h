// SPDX-License-Identifier: MIT
// A set of adapters, such as LoRAs, that change a model's weights while these load. Each kind of
// adapter is a record in a file of its own (kind.h).
#ifndef FUM_ADAPTER_ADAPTER_H
#define FUM_ADAPTER_ADAPTER_H

#include <fumarole/adapter.h>
#include <fumarole/model.h>

#include "base/view.h"

typedef struct fum_adapters fum_adapters;

struct fum_adapters_params {
    const struct fum_adapter *list; // copied
    int count;
    const char *dir; // folder of adapters named without one; may be NULL
    // Plain LoRAs of linear layers leave the weights as they are: the graph adds their products.
    bool beside;
    const struct fum_log *log;
};

// Opens the files and matches their tensors to the model's weights. The model must outlive the
// set. Tensors that match nothing are logged. A file of which nothing matches is an error.
enum fum_result fum_adapters_open(fum_adapters **adapters, const fum_model *model,
                                  const struct fum_adapters_params *params, struct fum_error *err);
void fum_adapters_close(fum_adapters **adapters);
// True if the set was opened with these parameters. `adapters` may be NULL: the empty set.
bool fum_adapters_same(const fum_adapters *adapters, const struct fum_adapters_params *params);

// Finds a weight that the set changes, as a view that is computed each time it is read. False: the
// set leaves it as it is. Any number of threads may read. `adapters` may be NULL.
bool fum_adapters_find(const fum_adapters *adapters, const char *component, const char *name,
                       struct fum_view *view);
// The product of low rank that a set adds to a linear layer's result: x · down · up.
struct fum_adapters_product {
    const char *down, *up; // names of the weights, [rank, in] and [out, rank] for fum_adapters_find
    int64_t rank;
};
// Finds the product for a layer, by its path in the component. False: there is none.
bool fum_adapters_find_product(const fum_adapters *adapters, const char *component,
                               const char *module, struct fum_adapters_product *product);
// True if some layer of the component has a product.
bool fum_adapters_have_products(const fum_adapters *adapters, const char *component);
// True if both sets have products of the same ranks for the same layers of the component, so that
// one graph serves both. Each may be NULL.
bool fum_adapters_same_products(const fum_adapters *a, const fum_adapters *b,
                                const char *component);

// Stores the names of a component's weights that the set changes or adds by products, and returns
// their number. `names` may be NULL: only counts.
size_t fum_adapters_list(const fum_adapters *adapters, const char *component, const char **names);

// A weight that a set changes.
struct fum_adapters_change {
    const char *component, *name;
    struct fum_view base, view; // as the model has it, and as the set computes it
};
// Stores the index-th weight that the set changes. Returns false past the last one.
bool fum_adapters_get(const fum_adapters *adapters, size_t index,
                      struct fum_adapters_change *change);

#endif
