// SPDX-License-Identifier: MIT
// Reads clocks while the benchmark runs, where the system reports them. Those are the processor's
// for CPU devices, and AMD's and Intel's GPUs under Linux. Vulkan itself has no such query.
#include "report.h"

#include <string.h>

enum { MAX_CARDS = 16 };

// Returns the highest "cpu MHz" of all processors.
static double cpu_mhz(void) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    double highest = 0, mhz;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "cpu MHz", 7) == 0 && sscanf(line, "cpu MHz : %lf", &mhz) == 1 &&
            mhz > highest)
            highest = mhz;
    if (file) fclose(file);
    return highest;
}

static FILE *open_card(int card, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "/sys/class/drm/card%d/%s", card, name);
    return fopen(path, "r");
}

static bool is_card(int card, const struct fum_device_info *info) {
    unsigned vendor = 0, device = 0;
    FILE *file = open_card(card, "device/vendor");
    bool known = file && fscanf(file, "%x", &vendor) == 1;
    if (file) fclose(file);
    file = open_card(card, "device/device");
    known = file && fscanf(file, "%x", &device) == 1 && known;
    if (file) fclose(file);
    return known && vendor == info->vendor_id && device == info->device_id;
}

// Returns a card's clock, or 0. amdgpu lists its levels, with "1: 1200Mhz *" for the current one.
// i915 has a file with the number.
static double card_mhz(int card) {
    char line[128];
    double mhz = 0, one;
    FILE *file = open_card(card, "device/pp_dpm_sclk");
    while (file && fgets(line, sizeof line, file))
        if (strchr(line, '*') && sscanf(line, "%*d: %lf", &one) == 1) mhz = one;
    if (file) fclose(file);
    file = mhz > 0 ? NULL : open_card(card, "gt_act_freq_mhz");
    if (file && fscanf(file, "%lf", &one) == 1) mhz = one;
    if (file) fclose(file);
    return mhz;
}

void cli_clock_sample(struct cli_clock *clock, const struct fum_device_info *info) {
    double now = fum_time_now(), mhz = 0;
    if (clock->sampled > 0 && now - clock->sampled < 1) return;
    clock->sampled = now;
    if (info->type == FUM_DEVICE_CPU) mhz = cpu_mhz();
    for (int card = 0; card < MAX_CARDS && info->type != FUM_DEVICE_CPU && mhz <= 0; card++)
        if (is_card(card, info)) mhz = card_mhz(card);
    if (mhz <= 0) return;
    if (clock->lowest <= 0 || mhz < clock->lowest) clock->lowest = mhz;
    if (mhz > clock->highest) clock->highest = mhz;
}
