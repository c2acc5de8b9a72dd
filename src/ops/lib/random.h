// SPDX-License-Identifier: MIT
// Declares what the random ops share: Philox4x32-10 as torch's CUDA generator uses it. The key is
// an i32 [4]: seed low, seed high, offset (the number of the draw), 0. The setting "offset" is
// added to the key's, so that several draws may share a key, which random_next moves on. Element i,
// counted without padding, takes the first two words x, y of philox. Its counter is (offset, 0, i,
// 0), its key (seed low, seed high). The draw is
//     uniform  u = 2^-32 x + 2^-33, in (0, 1]
//     normal   √(-2 ln u) sin v, v = 2π (2^-32 y + 2^-33)
//     integer  the high word of x limit, in [0, limit)
// with u and v rounded to f32.
#ifndef FUM_OPS_RANDOM_H
#define FUM_OPS_RANDOM_H

#include "graph/op.h"
#include "ops/lib/shape_attrs.h"

enum fum_random { FUM_RANDOM_UNIFORM, FUM_RANDOM_NORMAL, FUM_RANDOM_INTEGER };

// Settings: the output's shape, its type (-1: the graph's) or the limit of integers, and the
// offset.
enum { FUM_RANDOM_DTYPE = FUM_SHAPE_ATTRS, FUM_RANDOM_LIMIT = FUM_RANDOM_DTYPE, FUM_RANDOM_OFFSET };
#define FUM_RANDOM_ATTR_DEFS              \
    FUM_SHAPE_ATTR_DEFS, {"dtype", -1}, { \
        "offset", 0                       \
    }

// Checks that a key is i32 [4].
bool fum_random_check_key(const struct fum_desc *key, struct fum_why *why);
// Sets the output's shape, and checks the key and the offset.
bool fum_random_infer_shape(struct fum_op_call *call, struct fum_why *why);
// Does the same and sets the output's type.
bool fum_random_infer(struct fum_op_call *call, struct fum_why *why);
void fum_random_reference(const struct fum_op_call *call, enum fum_random kind,
                          const double *const *in, double *out);
bool fum_random_dispatch(const struct fum_op_call *call, enum fum_random kind,
                         struct fum_dispatches *list);

#endif
