// SPDX-License-Identifier: MIT
// Counts what the server does, for Prometheus. Any thread.
#ifndef FUM_CLI_SERVE_METRICS_H
#define FUM_CLI_SERVE_METRICS_H

#include <stdio.h>

struct metrics;

struct metrics *metrics_create(void); // NULL: memory is out
void metrics_destroy(struct metrics **metrics);
void metrics_add_request(struct metrics *metrics, int code);
void metrics_add_wait(struct metrics *metrics, double seconds); // of a job that starts
void metrics_add_step(struct metrics *metrics, double seconds);
void metrics_add_picture(struct metrics *metrics);
// Writes what was counted, in the text format 0.0.4.
void metrics_write(struct metrics *metrics, FILE *out);

#endif
