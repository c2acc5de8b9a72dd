// SPDX-License-Identifier: MIT
// Reconstructs pictures by an autoencoder, to compare them with the pictures.
#ifndef FUM_EVALUATE_RECONSTRUCT_H
#define FUM_EVALUATE_RECONSTRUCT_H

#include <fumarole/evaluate.h>

#include "io/image.h"

typedef struct fum_reconstructor fum_reconstructor;

// Opens the model of a folder on params->device. FUM_ERR_ARG: it is no autoencoder.
enum fum_result fum_reconstructor_open(fum_reconstructor **reconstructor, const char *path,
                                       const struct fum_evaluate_params *params,
                                       struct fum_error *err);
void fum_reconstructor_close(fum_reconstructor **reconstructor);
// Encodes a picture and decodes it again. `name` stands for it in errors. Free the result with
// fum_bitmap_free.
enum fum_result fum_reconstructor_run(fum_reconstructor *reconstructor, const char *name,
                                      const struct fum_bitmap *picture, struct fum_bitmap *result,
                                      struct fum_error *err);

#endif
