// SPDX-License-Identifier: MIT
// Declares the flag that a graph sets at a non-finite value. The op check_finite leaves the
// smallest code of such a value; INT32_MAX stands for none.
#ifndef FUM_PIPELINE_FINITE_H
#define FUM_PIPELINE_FINITE_H

#include "exec/executable.h"

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
