// SPDX-License-Identifier: MIT
// Checks jobs against their models as the library does before it draws, without a device.
#ifndef FUM_CLI_JOB_CHECK_H
#define FUM_CLI_JOB_CHECK_H

#include "spec.h"

// The models of the last jobs, open on a planning-only device. Any thread may call the functions.
struct job_checker;

// Returns NULL when memory is out.
struct job_checker *job_checker_create(void);
void job_checker_destroy(struct job_checker **checker);
// Closes the models, so that files that changed are read again.
void job_checker_forget(struct job_checker *checker);

// Checks a job that was read, whose paths are those of files. Returns false with *error filled in
// if its model cannot draw it. What cannot be found out here, such as a model that does not open,
// is left to the drawing.
bool job_check(struct job_checker *checker, const struct job_spec *spec, struct job_error *error);

#endif
