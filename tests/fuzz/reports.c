// SPDX-License-Identifier: MIT
// Fuzz target of bench reports. A changed one is compared with itself or with a good one, as
// `fumarole bench --compare` does, and the page of both is made.
#include "cli/report/report.h"
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

// Compares two reports, and makes their page.
static void try_reports(const cJSON *first, const cJSON *second) {
    static const char *const names[] = {"first.json", "second.json"};
    const cJSON *const reports[] = {first, second};
    if (cli_bench_compare(reports, names, 2) != 0) abort();
    char *page = cli_bench_html(reports, names, 2);
    if (!page || !strstr(page, "</html>")) abort();
    free(page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static cJSON *good;
    struct choices c = {data, size, 0};
    size_t bytes;
    if (!good) {
        good = cli_bench_parse("good.json", report, sizeof report - 1);
        if (!good || !freopen("/dev/null", "w", stdout)) fitted_fail("/dev/null");
    }
    char *text = damage_json(report, &c, &bytes);
    cJSON *changed = cli_bench_parse("changed.json", text, bytes);
    if (changed) try_reports(one_in(&c, 2) ? good : changed, changed);
    cJSON_Delete(changed);
    free(text);
    return 0;
}
