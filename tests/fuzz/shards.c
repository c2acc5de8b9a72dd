// SPDX-License-Identifier: MIT
// libFuzzer target of weights in several files: an index and the two files that it names.
#include "damage.h"
#include "fitted_parts.h"
#include "io/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char index_text[] =
    "{\"metadata\": {\"total_size\": 24}, \"weight_map\": {\"a.weight\": \"one.safetensors\", "
    "\"a.bias\": \"one.safetensors\", \"b.weight\": \"two.safetensors\"}}";
static const char *const headers[2] = {
    "{\"a.weight\": {\"dtype\": \"F32\", \"shape\": [2, 1], \"data_offsets\": [0, 8]}, \"a.bias\": "
    "{\"dtype\": \"F16\", "
    "\"shape\": [2], \"data_offsets\": [8, 12]}, \"__metadata__\": {\"format\": \"pt\"}}",
    "{\"b.weight\": {\"dtype\": \"BF16\", \"shape\": [3], \"data_offsets\": [0, 6]}}"};

static void save_shard(int which, struct choices *c) {
    char file[2048] = {0};
    size_t bytes;
    char *header = one_in(c, 3) ? damage_json(headers[which], c, &bytes) : NULL;
    if (!header) bytes = strlen(headers[which]);
    if (bytes > sizeof file - 64) bytes = sizeof file - 64;
    uint64_t length = bytes;
    memcpy(file, &length, 8);
    memcpy(file + 8, header ? header : headers[which], bytes);
    free(header);
    damage_save(which ? "unet/two.safetensors" : "unet/one.safetensors", file,
                8 + bytes + (which ? 6 : 12));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    char path[512];
    size_t bytes;
    char *text = damage_json(index_text, &c, &bytes);
    damage_save("unet/model.safetensors.index.json", text, bytes);
    free(text);
    for (int i = 0; i < 2; i++) save_shard(i, &c);
    snprintf(path, sizeof path, "%s/unet/model.safetensors.index.json", fitted_folder());
    enum fum_result result = fum_loader_open(&loader, path, &err);
    fitted_expect(result, &err);
    for (size_t i = 0; !result && i < fum_loader_count(loader); i++)
        if (fum_loader_find(loader, fum_loader_at(loader, i)->name) != fum_loader_at(loader, i))
            abort();
    fum_loader_close(&loader);
    return 0;
}
