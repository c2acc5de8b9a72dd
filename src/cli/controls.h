// SPDX-License-Identifier: MIT
// Reads the ControlNets of generate. Options that follow a --control-net are about that one.
#ifndef FUM_CLI_CONTROLS_H
#define FUM_CLI_CONTROLS_H

#include "cli.h"

#include <fumarole/pipeline.h>

// The options as they were given.
struct cli_control_options {
    struct cli_list nets, images, strengths, starts, ends, preprocess;
    const char *save; // file for the pictures as ControlNets read them; NULL: none
};

enum { CLI_MAX_CONTROLS = 8 };
struct cli_controls {
    struct fum_control list[CLI_MAX_CONTROLS];
    int count;
};

// Reads all ControlNets. Lists with any value get one for each ControlNet, in their order, so that
// they can be written down. Returns 0, or prints the error and returns an exit status.
int cli_controls_read(struct cli_controls *controls, const struct cli_command *command,
                      struct cli_control_options *options);

#endif
