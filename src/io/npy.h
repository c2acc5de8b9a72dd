// SPDX-License-Identifier: MIT
// Reads and writes NumPy's arrays of floating-point numbers, .npy, and archives of them, .npz.
#ifndef FUM_IO_NPY_H
#define FUM_IO_NPY_H

#include "io/zip.h"

enum { FUM_NPY_MAX_DIMS = 8 };

// An array in row-major order.
struct fum_npy {
    int rank;
    uint64_t dim[FUM_NPY_MAX_DIMS];
    size_t count; // of values
    double *values;
};
void fum_npy_free(struct fum_npy *array);

// Reads the bytes of a .npy file (versions 1 to 3) of f4 or f8, either byte order, C or Fortran
// order. `where` names it in errors.
enum fum_result fum_npy_parse(struct fum_npy *array, const uint8_t *data, size_t bytes,
                              const char *where, struct fum_error *err);

// Reads the array `name` of an archive.
enum fum_result fum_npz_read(struct fum_npy *array, const struct fum_zip *zip, const char *name,
                             struct fum_error *err);

// An array to write as f8.
struct fum_npz_array {
    const char *name;
    const double *values;
    int rank;
    uint64_t dim[2];
};
// Writes an archive of at most 8 arrays. The file appears only when it is complete.
enum fum_result fum_npz_write(const char *path, const struct fum_npz_array *arrays, size_t count,
                              struct fum_error *err);

#endif
