// SPDX-License-Identifier: MIT
// Draws a batch on several ranks: rank 0 hands out pictures and writes what comes back.
#ifndef FUM_CLI_BATCH_REMOTE_H
#define FUM_CLI_BATCH_REMOTE_H

#include "../job/painter.h"
#include "../ranks/ranks.h"
#include "work.h"

// The other ranks, as rank 0 has them.
struct remotes;

// Returns NULL if memory is out. One rank has no others, which is fine.
struct remotes *remotes_create(struct ranks *ranks, struct work *work);
// Takes what ranks have sent, and hands out pictures to those that wait. Pictures of a rank that is
// gone are handed out again.
void remotes_poll(struct remotes *remotes);
// Returns the number of ranks that draw or wait.
int remotes_active(const struct remotes *remotes);
// Sends all ranks away.
void remotes_destroy(struct remotes **remotes);

struct remote_params {
    const char *device; // as --device; NULL: the best
    const struct generate_options *defaults;
    const struct fum_log *log;
};
// Draws what rank 0 hands out, until it sends this rank away. Returns an exit status.
int remote_run(struct ranks *ranks, const struct remote_params *params);

#endif
