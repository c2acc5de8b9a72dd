// SPDX-License-Identifier: MIT
// A catalogue of one small model, and of a LoRA of which only the name is looked at.
#ifndef TESTS_FUZZ_LISTED_H
#define TESTS_FUZZ_LISTED_H

#include "choices.h"
#include "cli/job/catalogue.h"
#include "damage.h"
#include "fitted_parts.h"

#include <stdio.h>

static struct catalogue *listed_create(void) {
    struct choices plain = {0};
    struct catalogue *catalogue = NULL;
    char folder[256];
    fum_model *model = fitted_open(&plain, &(struct fitted_params){.max_bytes = 1 << 30});
    if (!model) fitted_fail("a model");
    const struct cli_list models = {.at = {fum_model_get_info(model)->path}, .count = 1};
    damage_save("unet/style.safetensors", "{}", 2);
    snprintf(folder, sizeof folder, "%s/unet", fitted_folder());
    const struct catalogue_params params = {.models = &models, .lora_dir = folder};
    if (catalogue_create(&catalogue, &params)) fitted_fail("a catalogue");
    fum_model_destroy(&model);
    return catalogue;
}

#endif
