// SPDX-License-Identifier: MIT
// When a convolution goes by Winograd's tiles: the hook `packed_op` of conv2d's record.
#ifndef FUM_OPS_WINOGRAD_H
#define FUM_OPS_WINOGRAD_H

#include "ops/lib/conv2d.h"

const struct fum_op *fum_winograd_pays(const struct fum_device_info *info,
                                       const struct fum_tuning *tuning,
                                       const struct fum_op_call *call, double share,
                                       struct fum_desc *weight, enum fum_pack *pack);

#endif
