// SPDX-License-Identifier: MIT
// libFuzzer target of adapters: names of tensors in all styles, whole or damaged, and PEFT's
// settings beside the weights.
#include "adapter/file.h"
#include "adapter/keys.h"
#include "base/alloc.h"
#include "damage.h"
#include "fitted.h"
#include "fitted_parts.h"
#include "io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 6, NAME = 700 };

// Makes a name of the pieces that keys have.
static void make_name(struct choices *c, char name[NAME]) {
    static const char *const pieces[] = {"lora_unet_",
                                         "base_model.model.",
                                         "unet.",
                                         "mid_block.attentions.0",
                                         ".processor.",
                                         ".to_out",
                                         "self_attn.to_q",
                                         ".lora_A",
                                         ".lora_down",
                                         ".weight",
                                         ".alpha",
                                         ".hada_w1_a",
                                         ".dora_scale",
                                         ".lora.up.weight",
                                         ".",
                                         "\xc3\xa9",
                                         ".default",
                                         "text_encoder",
                                         "_lora.down.weight",
                                         "x"};
    name[0] = 0;
    for (uint32_t n = 1 + choose(c, 8); n; n--)
        strcat(name, pieces[choose(c, sizeof pieces / sizeof *pieces)]);
    if (!one_in(c, 16)) return;
    memset(name, 'a', 600); // longer than a module's name may be
    strcpy(name + 600, ".alpha");
}

static void parse_name(const char *name) {
    struct fum_adapter_key key;
    if (!fum_adapter_key_parse(&key, name)) return;
    if (key.stem > strlen(name) || !memchr(key.module, 0, sizeof key.module) ||
        key.role >= FUM_ADAPTER_ROLES || strchr(key.module, '.'))
        abort();
}

// Writes the names as tensors of one number.
static void write_weights(struct choices *c) {
    static const float value = 1;
    static char names[MOST][NAME];
    struct fum_safetensors_tensor tensors[MOST];
    struct fum_error err = {0};
    char path[512];
    size_t count = 0;
    for (size_t n = 1 + choose(c, MOST); n; n--) {
        make_name(c, names[count]);
        parse_name(names[count]);
        bool twice = false;
        for (size_t i = 0; i < count; i++) twice = twice || !strcmp(names[i], names[count]);
        if (twice) continue;
        tensors[count] = (struct fum_safetensors_tensor){
            names[count], {.dtype = FUM_F32, .rank = 2, .dim = {1, 1}, .data = &value}};
        count++;
    }
    const struct fum_safetensors file = {.tensors = tensors, .count = count};
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", fitted_folder());
    fitted_expect(fum_safetensors_write(path, &file, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char settings[] = "{\"lora_alpha\": 5, \"use_rslora\": true, \"r\": 4, "
                                   "\"alpha_pattern\": {\"attn1.to_q\": 3, \"unet.x\": 2}}";
    struct choices c = {data, size, 0};
    struct fum_adapter_file file;
    struct fum_error err = {0};
    size_t bytes = 0;
    write_weights(&c);
    char *text = damage_json(settings, &c, &bytes);
    damage_save("adapter_config.json", text, bytes);
    free(text);
    fum_arena *arena = fum_arena_create();
    if (!arena) abort();
    enum fum_result result = fum_adapter_file_open(&file, arena, NULL, fitted_folder(), &err);
    fitted_expect(result, &err);
    for (size_t i = 0; !result && i < file.count; i++) {
        double alpha = fum_adapter_file_alpha(&file, "unet", file.groups[i].module);
        bool by_root = fum_adapter_file_by_root(&file, "unet");
        if (by_root && !file.metadata && alpha != 0) abort();
    }
    fum_adapter_file_close(&file);
    fum_arena_destroy(&arena);
    return 0;
}
