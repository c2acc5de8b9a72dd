// SPDX-License-Identifier: MIT
// Turns pictures into what a ControlNet reads.
#ifndef FUM_PIPELINE_PREPROCESS_H
#define FUM_PIPELINE_PREPROCESS_H

#include "gpu/gpu.h"
#include "io/image.h"

// Changes an RGB picture as `text` says, a name with numbers behind colons: "canny",
// "canny:50:150". "none" or NULL copies it. FUM_ERR_ARG: there is no such change. Edges are found
// on the device unless that is the host's processor.
enum fum_result fum_preprocess(fum_device *device, const char *text, const struct fum_bitmap *from,
                               struct fum_bitmap *to, struct fum_error *err);

#endif
