// SPDX-License-Identifier: MIT
// Calls LAPACK, which a build for another system may lack.
#ifndef FUM_BASE_LAPACK_H
#define FUM_BASE_LAPACK_H

#include <fumarole/core.h>

// Computes the eigenvalues (ascending) and eigenvectors of a symmetric matrix a[n][n], whose rows
// become the vectors.
enum fum_result fum_lapack_eigen(double *a, size_t n, double *values, struct fum_error *err);

// Computes the singular values (descending) of a[rows][columns], whose values are lost. There are
// as many as the smaller side.
enum fum_result fum_lapack_singular_values(double *a, size_t rows, size_t columns, double *values,
                                           struct fum_error *err);

#endif
