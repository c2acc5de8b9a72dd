// SPDX-License-Identifier: MIT
// Shares the devices of a machine among its ranks.
#include "ranks.h"

#include <fumarole/device.h>

#include <stdio.h>

enum { MAX_DEVICES = 64 };

// Lists the indices of the GPUs that compute best: the discrete ones, else the integrated ones.
static int list_gpus(int *indices) {
    static const enum fum_device_type types[] = {FUM_DEVICE_DISCRETE, FUM_DEVICE_INTEGRATED,
                                                 FUM_DEVICE_VIRTUAL};
    struct fum_device_info infos[MAX_DEVICES];
    int devices = 0, count = 0;
    if (fum_device_list(infos, MAX_DEVICES, &devices, NULL)) return 0;
    if (devices > MAX_DEVICES) devices = MAX_DEVICES;
    for (size_t k = 0; k < sizeof types / sizeof *types && count == 0; k++)
        for (int i = 0; i < devices; i++)
            if (infos[i].type == types[k]) indices[count++] = i;
    return count;
}

const char *ranks_choose_device(const struct ranks *ranks, const char *given, char text[16]) {
    int gpus[MAX_DEVICES];
    int count = given || ranks_count(ranks) == 1 ? 0 : list_gpus(gpus);
    if (count == 0) return given;
    snprintf(text, 16, "%d", gpus[ranks_local(ranks) % count]);
    return text;
}
