// SPDX-License-Identifier: MIT
#include "adapter/keys.h"

#include "base/macros.h"

#include <stdio.h>
#include <string.h>

// The ends of tensors' names, and what these are for. The longest end counts.
static const struct ending {
    const char *text;
    enum fum_adapter_role role;
} endings[] = {
    {".lora_down.weight", FUM_ADAPTER_DOWN}, // kohya
    {".lora_up.weight", FUM_ADAPTER_UP},
    {".lora_mid.weight", FUM_ADAPTER_MID},
    {".alpha", FUM_ADAPTER_ALPHA},
    {".lora.down.weight", FUM_ADAPTER_DOWN}, // diffusers
    {".lora.up.weight", FUM_ADAPTER_UP},
    {".lora_linear_layer.down.weight", FUM_ADAPTER_DOWN},
    {".lora_linear_layer.up.weight", FUM_ADAPTER_UP},
    {"_lora.down.weight", FUM_ADAPTER_DOWN}, // of attention processors
    {"_lora.up.weight", FUM_ADAPTER_UP},
    {".lora_A.weight", FUM_ADAPTER_DOWN}, // PEFT
    {".lora_B.weight", FUM_ADAPTER_UP},
    {".lora_B.bias", FUM_ADAPTER_UP_BIAS},
    {".lora_A.default.weight", FUM_ADAPTER_DOWN},
    {".lora_B.default.weight", FUM_ADAPTER_UP},
    {".lora_B.default.bias", FUM_ADAPTER_UP_BIAS},
    {".lora_magnitude_vector", FUM_ADAPTER_MAGNITUDE},
    {".lora_magnitude_vector.weight", FUM_ADAPTER_MAGNITUDE},
    {".lora_magnitude_vector.default.weight", FUM_ADAPTER_MAGNITUDE},
    {".ia3_l", FUM_ADAPTER_IA3_L},
    {".ia3_l.default", FUM_ADAPTER_IA3_L},
    {".dora_scale", FUM_ADAPTER_DORA}, // LyCORIS
    {".hada_w1_a", FUM_ADAPTER_HADA_W1_A},
    {".hada_w1_b", FUM_ADAPTER_HADA_W1_B},
    {".hada_t1", FUM_ADAPTER_HADA_T1},
    {".hada_w2_a", FUM_ADAPTER_HADA_W2_A},
    {".hada_w2_b", FUM_ADAPTER_HADA_W2_B},
    {".hada_t2", FUM_ADAPTER_HADA_T2},
    {".lokr_w1", FUM_ADAPTER_LOKR_W1},
    {".lokr_w1_a", FUM_ADAPTER_LOKR_W1_A},
    {".lokr_w1_b", FUM_ADAPTER_LOKR_W1_B},
    {".lokr_w2", FUM_ADAPTER_LOKR_W2},
    {".lokr_w2_a", FUM_ADAPTER_LOKR_W2_A},
    {".lokr_w2_b", FUM_ADAPTER_LOKR_W2_B},
    {".lokr_t2", FUM_ADAPTER_LOKR_T2},
    {".weight", FUM_ADAPTER_IA3},
    {".on_input", FUM_ADAPTER_ON_INPUT},
    {".diff", FUM_ADAPTER_DIFF},
    {".diff_b", FUM_ADAPTER_DIFF_BIAS},
    {".w_norm", FUM_ADAPTER_DIFF}, // of norms
    {".b_norm", FUM_ADAPTER_DIFF_BIAS},
};

static bool ends_with(const char *name, size_t length, const char *end) {
    size_t tail = strlen(end);
    return length > tail && !memcmp(name + length - tail, end, tail);
}

static const struct ending *find_ending(const char *name) {
    const struct ending *best = NULL;
    size_t length = strlen(name);
    for (size_t i = 0; i < FUM_COUNT(endings); i++) {
        const struct ending *e = &endings[i];
        if (ends_with(name, length, e->text) && (!best || strlen(e->text) > strlen(best->text)))
            best = e;
    }
    return best;
}

void fum_adapter_flatten(char *name) {
    for (; *name; name++)
        if (*name == '.') *name = '_';
}

// Replaces `from` at the end of a name by `to`, if it ends so.
static void replace_end(char name[FUM_ADAPTER_NAME], const char *from, const char *to) {
    size_t length = strlen(name);
    if (!ends_with(name, length, from)) return;
    size_t start = length - strlen(from);
    snprintf(name + start, FUM_ADAPTER_NAME - start, "%s", to);
}

// Names the module that an attention processor stands for: "attn1.processor.to_out" is
// "attn1.to_out.0", and in a text encoder "self_attn.to_q" is "self_attn.q_proj".
static void name_processed(char name[FUM_ADAPTER_NAME]) {
    static const char processor[] = ".processor.";
    static const char *const text[][2] = {{".self_attn.to_q", ".self_attn.q_proj"},
                                          {".self_attn.to_k", ".self_attn.k_proj"},
                                          {".self_attn.to_v", ".self_attn.v_proj"},
                                          {".self_attn.to_out", ".self_attn.out_proj"},
                                          {".to_out", ".to_out.0"}};
    char *at = strstr(name, processor);
    if (at) memmove(at, at + strlen(processor) - 1, strlen(at + strlen(processor) - 1) + 1);
    for (size_t i = 0; i < FUM_COUNT(text); i++) replace_end(name, text[i][0], text[i][1]);
}

bool fum_adapter_key_parse(struct fum_adapter_key *key, const char *name) {
    const struct ending *e = find_ending(name);
    if (!e) return false;
    key->role = e->role;
    key->stem = strlen(name) - strlen(e->text);
    if (key->stem >= sizeof key->module) return false;
    snprintf(key->module, sizeof key->module, "%.*s", (int)key->stem, name);
    name_processed(key->module);
    fum_adapter_flatten(key->module);
    return true;
}

bool fum_adapter_role_tells(enum fum_adapter_role role) {
    return role != FUM_ADAPTER_IA3 && role != FUM_ADAPTER_ALPHA;
}
