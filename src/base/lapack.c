// SPDX-License-Identifier: MIT
#include "base/lapack.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/lapack_config.h"

#include <limits.h>

#ifdef FUM_HAS_LAPACK

// Declares LAPACK's routines. Fortran's arguments are pointers; lengths of texts follow at the end.
void dsyevd_(const char *job, const char *half, const int *n, double *a, const int *stride,
             double *values, double *work, const int *work_size, int *iwork, const int *iwork_size,
             int *info, size_t job_length, size_t half_length);
void dgesdd_(const char *job, const int *rows, const int *columns, double *a, const int *stride,
             double *values, double *u, const int *u_stride, double *vt, const int *vt_stride,
             double *work, const int *work_size, int *iwork, int *info, size_t job_length);

static enum fum_result check_end(int info, const char *what, struct fum_error *err) {
    if (!info) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "LAPACK found no %s (info %d): are all values finite?", what, info);
}

enum fum_result fum_lapack_eigen(double *a, size_t n, double *values, struct fum_error *err) {
    int order = (int)n, info = 0, iwork_size = 3 + 5 * order;
    size_t size = 1 + 6 * n + 2 * n * n;
    if (!n) return FUM_OK;
    double *work = fum_alloc(size, sizeof *work);
    int *iwork = fum_alloc((size_t)iwork_size, sizeof *iwork);
    if (size > INT_MAX || !work || !iwork) {
        fum_free(work);
        fum_free(iwork);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %zu eigenvectors", n);
    }
    int work_size = (int)size;
    dsyevd_("V", "L", &order, a, &order, values, work, &work_size, iwork, &iwork_size, &info, 1, 1);
    fum_free(work);
    fum_free(iwork);
    return check_end(info, "eigenvalues", err);
}

enum fum_result fum_lapack_singular_values(double *a, size_t rows, size_t columns, double *values,
                                           struct fum_error *err) {
    size_t low = FUM_MIN(rows, columns), high = FUM_MAX(rows, columns);
    if (!low) return FUM_OK;
    if (high > INT_MAX / 8)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%zu rows are too many for LAPACK", high);
    // In LAPACK's order of columns the matrix is its transpose, with the same singular values.
    int m = (int)columns, n = (int)rows, one = 1, info = 0, work_size = -1;
    double wanted = 0, unused = 0;
    int *iwork = fum_alloc(8 * low, sizeof *iwork);
    if (!iwork) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for singular values");
    dgesdd_("N", &m, &n, a, &m, values, &unused, &one, &unused, &one, &wanted, &work_size, iwork,
            &info, 1);
    work_size = (int)wanted;
    double *work = info ? NULL : fum_alloc((size_t)work_size, sizeof *work);
    enum fum_result result = FUM_OK;
    if (work) {
        dgesdd_("N", &m, &n, a, &m, values, &unused, &one, &unused, &one, work, &work_size, iwork,
                &info, 1);
        result = check_end(info, "singular values", err);
    } else {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for singular values");
    }
    fum_free(work);
    fum_free(iwork);
    return result;
}

#else

static enum fum_result refuse(struct fum_error *err) {
    return fum_error_set(
        err, FUM_ERR_UNSUPPORTED,
        "this fumarole was built without LAPACK, which FID and extract-lora require");
}

enum fum_result fum_lapack_eigen(double *a, size_t n, double *values, struct fum_error *err) {
    (void)a, (void)n, (void)values;
    return refuse(err);
}

enum fum_result fum_lapack_singular_values(double *a, size_t rows, size_t columns, double *values,
                                           struct fum_error *err) {
    (void)a, (void)rows, (void)columns, (void)values;
    return refuse(err);
}

#endif
