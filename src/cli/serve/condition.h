// SPDX-License-Identifier: MIT
// Conditions that are waited for by the clock that never goes back.
#ifndef FUM_CLI_SERVE_CONDITION_H
#define FUM_CLI_SERVE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>

bool condition_init(pthread_cond_t *condition);
// Waits with the lock held until the condition is signalled, at most so long.
void condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, double seconds);

#endif
