// SPDX-License-Identifier: MIT
// Checks that a device computes right: every operation on hard shapes, compared with plain C.
#ifndef FUMAROLE_SELFTEST_H
#define FUMAROLE_SELFTEST_H

#include <fumarole/device.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// One operation in all storage types. Errors are relative RMS errors. The worst is the one nearest
// to (or furthest over) its bound. Strings live as long as the library.
struct fum_selftest_op {
    const char *name;
    const char *variant; // the forced variant; NULL: the device's own choice
    int run, failed;
    int skipped; // cases that the device's limits or storage types do not allow
    double worst_error, worst_bound;
    const char *worst_case; // NULL: no case ran
    enum fum_dtype worst_type;
    // mask 1 << dtype of requested types that the device (or the variant) cannot store
    unsigned missing_types;
    double seconds;
};

// One case. `why` is set if it did not run or did not agree, else NULL. It lives during the
// callback.
struct fum_selftest_case {
    const char *op, *name;
    enum fum_dtype type;
    bool ran, pass;
    double error, bound;
    double seconds, gpu_seconds; // gpu_seconds 0: no timestamps
    const char *why;
};

// One compiled kernel. Pointers live during the callback.
struct fum_selftest_kernel {
    const char *op, *name; // the first case that uses it
    const char *shader;
    enum fum_dtype type;
    // specialisation constants by id; the first three are the workgroup's size
    const uint32_t *constants;
    int num_constants;
    uint32_t subgroup; // required subgroup size; 0: any
    double seconds;    // to compile it, through the driver's own cache if that knows it
    const struct fum_kernel_statistic *statistics;
    int num_statistics;
    const char *why; // why the driver did not compile it; NULL: success
};

struct fum_selftest_params {
    const char *op; // NULL: all
    unsigned types; // mask 1 << dtype of FUM_F32, FUM_F16, FUM_BF16; 0: all three
    // NULL: the variants that the device uses. A name (see tuning.h): that one wherever it serves.
    // "all": the device's own choice, then every variant that it can run, over the ops that the
    // variant serves.
    const char *variant;
    bool repeat; // every case twice; different bits the second time are a failure
    bool large;  // adds the large shapes of real models, which take minutes on a CPU device
    void *user;
    // Called on the caller's thread; any may be NULL.
    void (*on_op)(void *user, const struct fum_selftest_op *result);
    void (*on_case)(void *user, const struct fum_selftest_case *result);
    // for devices opened with compile_only
    void (*on_kernel)(void *user, const struct fum_selftest_kernel *kernel);
    bool (*cancel)(void *user); // true stops; called before every case
};

// A case on a device opened with compile_only has passed if its kernels compile, on a planning
// device if they can be planned. Nothing runs there. Large shapes are always included, and
// on_kernel gets each distinct kernel once.

// Runs the cases. Uses the device alone, for under a minute on a CPU device. `params` may be NULL.
// FUM_OK: every case that ran agreed. FUM_ERR_DEVICE: some did not, and `err` counts them and names
// the first; or the device was lost. FUM_ERR_ARG: no such op or variant. FUM_ERR_UNSUPPORTED: the
// device cannot run the variant. FUM_ERR_CANCELLED: `cancel` returned true.
FUM_API enum fum_result fum_selftest(fum_device *device, const struct fum_selftest_params *params,
                                     struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
