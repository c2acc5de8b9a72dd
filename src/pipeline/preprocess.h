// SPDX-License-Identifier: MIT
// Turns pictures into what a ControlNet reads.
#ifndef FUM_PIPELINE_PREPROCESS_H
#define FUM_PIPELINE_PREPROCESS_H

#include "io/image.h"

// Changes an RGB picture as `text` says, a name with numbers behind colons: "canny",
// "canny:50:150". "none" or NULL copies it. FUM_ERR_ARG: there is no such change.
enum fum_result fum_preprocess(const char *text, const struct fum_bitmap *from,
                               struct fum_bitmap *to, struct fum_error *err);

#endif
