// SPDX-License-Identifier: MIT
// Reads PEFT's settings of an adapter, as adapter_config.json or the header of diffusers' files
// has them.
#ifndef FUM_ADAPTER_PEFT_H
#define FUM_ADAPTER_PEFT_H

#include "adapter/kind.h"
#include "adapter/targets.h"
#include "base/json.h"

// Sets what the settings say of a layer: alpha, the rank, its root, and the side of IA3. `settings`
// may be NULL: there are none.
void fum_adapter_peft_read(const cJSON *settings, const struct fum_adapter_target *target,
                           struct fum_adapter_layer *layer);

#endif
