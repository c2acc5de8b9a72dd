// SPDX-License-Identifier: MIT
// libFuzzer target of bench reports: `fumarole bench --compare` of a changed one with itself and
// with a good one, and the page of both.
#include "cli/cli.h"
#include "damage.h"
#include "fitted_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char report[] =
    "{\"format\": \"fumarole-bench\", \"version\": 1, \"complete\": true, \"fumarole\": \"0.1.0\", "
    "\"device\": {\"name\": "
    "\"GPU\", \"driver\": \"driver\", \"memory\": 1000000}, \"limits\": [{\"name\": \"copy\", "
    "\"type\": "
    "\"f32\", \"unit\": "
    "\"GB/s\", \"value\": {\"median\": 10.5, \"low\": 10, \"high\": 11, \"values\": [10, 10.5, "
    "11]}}], "
    "\"ops\": [{\"op\": "
    "\"silu\", \"name\": \"latents 64x64\", \"type\": \"f32\", \"shape\": [1, 64, 64, 4], "
    "\"seconds\": "
    "{\"median\": 1e-5, "
    "\"low\": 9e-6, \"high\": 2e-5, \"values\": [9e-6, 1e-5, 2e-5]}, \"bytes\": 1000, \"flops\": "
    "5000}], "
    "\"models\": "
    "[{\"name\": \"emoji\", \"type\": \"f32\", \"width\": 128, \"height\": 128, \"batch\": 1, "
    "\"steps\": 20, "
    "\"step\": "
    "{\"median\": 0.1, \"low\": 0.09, \"high\": 0.2, \"values\": [0.1]}, \"pictures_per_second\": "
    "0.5}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    static char good[256], changed[256], page[256];
    size_t bytes;
    if (!good[0]) {
        snprintf(good, sizeof good, "%s/unet/good.json", fitted_folder());
        snprintf(changed, sizeof changed, "%s/unet/changed.json", fitted_folder());
        snprintf(page, sizeof page, "%s/unet/page.html", fitted_folder());
        if (!freopen("/dev/null", "w", stdout)) fitted_fail("/dev/null");
    }
    char *text = damage_json(report, &c, &bytes);
    damage_save("unet/good.json", report, sizeof report - 1);
    damage_save("unet/changed.json", text, bytes);
    free(text);
    char html[] = "--html", compare[] = "--compare";
    char *argv[] = {compare, one_in(&c, 2) ? good : changed, changed, html, page, NULL};
    int status = cli_bench.run(&cli_bench, 5, argv);
    if (status != 0 && status != CLI_FAILED) abort();
    remove(good);
    remove(changed);
    remove(page);
    return 0;
}
