// SPDX-License-Identifier: MIT
// Declares what a kind of adapter is: which tensors it has for a weight, which shapes they need,
// and what it adds to the weight.
#ifndef FUM_ADAPTER_KIND_H
#define FUM_ADAPTER_KIND_H

#include "adapter/keys.h"
#include "base/why.h"
#include "io/loader.h"

// A weight's shape in its file. Convolutions have [rows, columns / taps, height, width].
struct fum_adapter_shape {
    int64_t rows, columns;
    int64_t taps; // of a convolution's kernel; else 1
};

// What the factors of IA3 multiply.
enum fum_adapter_side { FUM_ADAPTER_UNKNOWN_SIDE, FUM_ADAPTER_OUTPUTS, FUM_ADAPTER_INPUTS };

// What one file has for one weight.
struct fum_adapter_layer {
    const struct fum_adapter_kind *kind;
    const struct fum_loader_tensor *tensors[FUM_ADAPTER_ROLES]; // NULL: absent
    double alpha; // where the file has no tensor of it; 0: the rank
    double rank;  // of a LoKr of PEFT whose matrices are whole; 0: alpha does not count there
    bool by_root; // alpha is divided by the root of the rank (rsLoRA)
    enum fum_adapter_side side; // of PEFT's IA3
    double strength;            // what the user multiplies the change by
};

struct fum_adapter_job {
    const struct fum_adapter_layer *layer;
    struct fum_adapter_shape shape;
    const float *weight; // [rows, columns], as the model has it
    float *change;       // [rows, columns], to be written: what is added at strength 1
};

struct fum_adapter_kind {
    const char *name;
    const char *parameter; // of a module: "weight" or "bias"
    // True if the layer has the tensors of this kind.
    bool (*present)(const struct fum_adapter_layer *layer);
    bool (*fits)(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                 struct fum_why *why);
    enum fum_result (*compute)(const struct fum_adapter_job *job, struct fum_error *err);
};

#define FUM_ADAPTER_KIND(name, file) extern const struct fum_adapter_kind fum_adapter_##name;
#include "adapter/kinds.def"
#undef FUM_ADAPTER_KIND
// In the order of kinds.def; ends with NULL.
extern const struct fum_adapter_kind *const fum_adapter_kinds[];

// Adds a layer's change to the weight: sum += strength · change, all of [rows, columns]. `weight`
// is what the model has, and may be `sum` itself.
enum fum_result fum_adapter_add(const struct fum_adapter_layer *layer,
                                const struct fum_adapter_shape *shape, const float *weight,
                                float *sum, struct fum_error *err);

// Checks the norms of DoRA, if the layer has them.
bool fum_adapter_dora_fits(const struct fum_adapter_layer *layer,
                           const struct fum_adapter_shape *shape, struct fum_why *why);
// Makes of a layer's change what DoRA adds, if the layer has norms.
enum fum_result fum_adapter_dora_apply(const struct fum_adapter_job *job, struct fum_error *err);

// ---- for the kinds ----

// Returns dimension `axis` of a layer's tensor; 1 past the last one, 0 without the tensor.
int64_t fum_adapter_dim(const struct fum_adapter_layer *layer, enum fum_adapter_role role,
                        int axis);
int64_t fum_adapter_count(const struct fum_adapter_layer *layer, enum fum_adapter_role role);
// Refuses a tensor that has not `rows` rows of `columns` elements.
bool fum_adapter_needs(const struct fum_adapter_layer *layer, enum fum_adapter_role role,
                       int64_t rows, int64_t columns, struct fum_why *why);
// Reads a tensor as f32. *values is freed with fum_free.
enum fum_result fum_adapter_read(const struct fum_adapter_layer *layer, enum fum_adapter_role role,
                                 float **values, struct fum_error *err);
// Returns alpha / rank, or alpha / √rank for rsLoRA; 1 where alpha is missing or 0.
enum fum_result fum_adapter_scale(const struct fum_adapter_layer *layer, double rank, double *scale,
                                  struct fum_error *err);

// A product of matrices, [rows, inner] · [inner, columns].
struct fum_adapter_product {
    const float *a, *b;
    float *out;
    int64_t rows, inner, columns;
    float scale; // of the result
};
void fum_adapter_multiply(const struct fum_adapter_product *product);
// A matrix [rows, columns] that is the product of two tensors, a · b. If the layer has a core, it
// is Tucker's decomposition Σ_ij core[i, j, k] · a[i, row] · b[j, column].
struct fum_adapter_factors {
    enum fum_adapter_role a, b, core; // core FUM_ADAPTER_ROLES: there never is one
    int64_t rows, columns, taps;      // taps: of the core, counted in columns
};
// True if a core stands between the two factors, of which the first is then transposed.
bool fum_adapter_factors_core(const struct fum_adapter_layer *layer,
                              const struct fum_adapter_factors *factors);
bool fum_adapter_factors_fit(const struct fum_adapter_layer *layer,
                             const struct fum_adapter_factors *factors, struct fum_why *why);
// Reads the matrix. *values is freed with fum_free.
enum fum_result fum_adapter_factors_read(const struct fum_adapter_layer *layer,
                                         const struct fum_adapter_factors *factors, float **values,
                                         struct fum_error *err);
// Returns the rank of such a product.
int64_t fum_adapter_factors_rank(const struct fum_adapter_layer *layer,
                                 const struct fum_adapter_factors *factors);

#endif
