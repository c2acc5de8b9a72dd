// SPDX-License-Identifier: MIT
// Finds non-finite values: on the host, or by a flag that a graph sets. The op check_finite leaves
// the smallest code of such a value in the flag; INT32_MAX stands for none.
#ifndef FUM_PIPELINE_FINITE_H
#define FUM_PIPELINE_FINITE_H

#include "exec/executable.h"

// True if none of the values is a NaN or an infinity.
bool fum_finite_values(const float *values, size_t count);

// Adds the flag as a state.
fum_tensor *fum_finite_flag(fum_graph *graph);
// Adds the check of a value. Returns the flag after it, which the next check takes.
fum_tensor *fum_finite_check(fum_graph *graph, fum_tensor *flag, fum_tensor *value);

// Clears the flag, before the checks run.
enum fum_result fum_finite_reset(fum_executable *exe, const fum_tensor *flag,
                                 struct fum_error *err);
// Reads the flag. *finite: false after a NaN or an infinity.
enum fum_result fum_finite_read(fum_executable *exe, const fum_tensor *flag, bool *finite,
                                struct fum_error *err);

#endif
