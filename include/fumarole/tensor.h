// SPDX-License-Identifier: MIT
// Shapes of tensors, and how weights lie in their files.
#ifndef FUMAROLE_TENSOR_H
#define FUMAROLE_TENSOR_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FUM_MAX_DIMS = 4 };

// dim[rank - 1] is innermost. Dimensions may be 0.
struct fum_shape {
    int rank;
    int64_t dim[FUM_MAX_DIMS];
};

// How a weight lies in its file, and so how it is repacked once for the kernels.
enum fum_pack {
    FUM_PACK_NONE = 0, // as it is: the same elements in the same order
    FUM_PACK_LINEAR,   // file [out, in] (or [out, in, 1, 1]), graph [in, out]
    FUM_PACK_CONV,     // file [out, in, height, width], graph [height, width, in, out]
};

// Returns the name of a quantised type that weights can have on the device ("q8_0"), or NULL past
// the last. They are ggml's: in q8_0, each 32 inputs of an output are integers of 8 bits times one
// factor. Weights whose rows are no whole blocks have q8_0 in place of q4_K and q5_K, or are dense.
FUM_API const char *fum_quantised_name(size_t index);

enum { FUM_BLOCK_TYPES = 10 };
// Returns the name of a type of blocks that GGUF files hold ("q4_K"), or NULL past the last.
FUM_API const char *fum_block_name(size_t index);

// The parameters of a training on a device, shared by the executables that train and use them.
typedef struct fum_parameters fum_parameters;

#ifdef __cplusplus
}
#endif

#endif
