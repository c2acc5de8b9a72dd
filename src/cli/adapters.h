// SPDX-License-Identifier: MIT
// Reads the adapters of `--lora NAME[:WEIGHT[:WEIGHT]]`.
#ifndef FUM_CLI_ADAPTERS_H
#define FUM_CLI_ADAPTERS_H

#include "options.h"

#include <fumarole/adapter.h>

struct cli_adapters {
    struct fum_adapter list[CLI_LIST_MAX];
    char *names[CLI_LIST_MAX];
    int count;
};

// Takes every value apart. A weight for the text encoders is that for the UNet unless it is given.
// Returns false if memory is out.
bool cli_adapters_read(struct cli_adapters *adapters, const struct cli_list *values);
void cli_adapters_free(struct cli_adapters *adapters);

#endif
