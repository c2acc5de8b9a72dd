// SPDX-License-Identifier: MIT
// Names adapters in saved files.
#include "train/recipes/lora.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"

const char *fum_lora_file_name(const char *name, char text[FUM_TRAIN_NAME]) {
    static const char *const originals[][2] = {
        {"lora_unet_add_embedding_linear_1.", "lora_unet_label_emb_0_0."},
        {"lora_unet_add_embedding_linear_2.", "lora_unet_label_emb_0_2."},
    };
    for (size_t i = 0; i < FUM_COUNT(originals); i++) {
        size_t length = strlen(originals[i][0]);
        if (strncmp(name, originals[i][0], length)) continue;
        snprintf(text, FUM_TRAIN_NAME, "%s%s", originals[i][1], name + length);
        return text;
    }
    return name;
}
