// SPDX-License-Identifier: MIT
// The devices of this process that draw a batch, each in a thread with a painter of its own.
#ifndef FUM_CLI_BATCH_CREW_H
#define FUM_CLI_BATCH_CREW_H

#include "../job/painter.h"
#include "work.h"

struct crew;
struct crew_params {
    struct work *work;
    const struct generate_options *defaults;
    const struct cli_list *devices; // as --device
    int rank;                       // of this process
    const struct fum_log *log;
};

// Opens the devices and begins to draw. Those that cannot be opened are reported. Returns 0, or an
// exit status if none can. The crew is to be destroyed in any case.
int crew_create(struct crew **crew, const struct crew_params *params);
// Waits until all have ended: the work is done or stopped.
void crew_destroy(struct crew **crew);
// Returns the number of devices that still draw or wait for pictures.
int crew_active(struct crew *crew);

#endif
