// SPDX-License-Identifier: MIT
// Limits the size of pictures.
#include "base/error.h"
#include "io/image_format.h"

enum fum_result fum_image_check_size(const struct fum_image_file *file, long long width,
                                     long long height, struct fum_error *err) {
    long long most = file->max_pixels > 0 ? file->max_pixels : FUM_MAX_PIXELS;
    if (width > 0 && height > 0 && width <= FUM_MAX_SIDE && height <= FUM_MAX_SIDE &&
        width * height <= most)
        return FUM_OK;
    return fum_error_set(
        err, FUM_ERR_FORMAT,
        "%s: a picture of %lldx%lld is outside the limits (%d a side, %lld pixels)", file->where,
        width, height, FUM_MAX_SIDE, most);
}
