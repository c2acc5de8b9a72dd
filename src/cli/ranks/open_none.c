// SPDX-License-Identifier: MIT
// Refuses several ranks in a build without MPI.
#include "exchange.h"

#include "../cli.h"

const struct ranks_exchange *ranks_open_exchange(void) {
    cli_fail("a launcher started several processes, but this build has no MPI: start one, or build "
             "with MPI's development files");
    return NULL;
}
