// SPDX-License-Identifier: MIT
// Parses sizes of memory.
#include "cli.h"

#include <fumarole/pipeline.h>

#include <stdlib.h>
#include <string.h>

uint64_t cli_parse_bytes(const char *text) {
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},         {"B", 1},      {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
                 {"TiB", 0x1p40}, {"K", 0x1p10}, {"M", 0x1p20},   {"G", 0x1p30},   {"T", 0x1p40},
                 {"kB", 1e3},     {"KB", 1e3},   {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
    char *end;
    if (strcmp(text, "auto") == 0) return FUM_MEMORY_AUTO;
    if (*text < '0' || *text > '9') return 0;
    double number = strtod(text, &end);
    if (end != text + strspn(text, "0123456789.")) // strtod knows more than decimals
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].name) == 0 && number * units[i].bytes >= 1 &&
            number * units[i].bytes < 0x1p60)
            return (uint64_t)(number * units[i].bytes);
    return 0;
}
