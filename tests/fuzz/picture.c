// SPDX-License-Identifier: MIT
// libFuzzer target of the readers of pictures.
#include "io/image.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fum_bitmap bitmap;
    struct fum_error err = {0};
    char *parameters = NULL;
    enum fum_result result = fum_image_decode(&(struct fum_image_file){data, size, "fuzz"}, 3,
                                              &bitmap, &parameters, &err);
    if (result ? bitmap.pixels || !err.text[0] : !bitmap.pixels) abort();
    fum_bitmap_free(&bitmap);
    fum_free(parameters);
    return 0;
}
