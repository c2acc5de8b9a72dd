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
    // File [out, in, 3, 3], graph G g G^T: [36, in, out] of F(4x4, 3x3) or [16, in, out] of
    // F(2x2, 3x3). A pass's choice.
    FUM_PACK_WINOGRAD,
    // File [out, in], `in` a multiple of 32. As in ggml's q8_0, each 32 inputs of an output are
    // integers of 8 bits times one factor, d = max |x| / 127 rounded to f16. Graph
    // [in / 32 * 9, out], words of 32 bits declared as f32. Row 9b + r, r from 0 to 7, holds four
    // integers a word: inputs 32b + 4r to 32b + 4r + 3 from the low byte up. Row 9b + 8 holds the
    // factors as f32. A convolution has up to nine taps and each is packed alike: file
    // [out, in, height, width], graph [height, width, in / 32 * 9, out]. A pass's choice.
    FUM_PACK_Q8,
};

// The parameters of a training on a device, shared by the executables that train and use them.
typedef struct fum_parameters fum_parameters;

#ifdef __cplusplus
}
#endif

#endif
