// SPDX-License-Identifier: MIT
#include "io/averages.h"

#include "base/macros.h"

#include <ctype.h>
#include <string.h>

#define AVERAGES "model_ema.diffusion_model"
#define WEIGHTS  "model.diffusion_model."

enum { LONGEST_NAME = 512 };

// A word of the names, and how digits behind it divide into numbers.
static const struct word {
    const char *text;
    enum { SINGLE, LAST_ALONE, TOGETHER } digits;
} words[] = {
    {"input_blocks", LAST_ALONE},
    {"output_blocks", LAST_ALONE},
    {"middle_block", SINGLE},
    {"transformer_blocks", TOGETHER},
    {"time_embed", SINGLE},
    {"label_emb", SINGLE},
    {"cond_proj", SINGLE},
    {"in_layers", SINGLE},
    {"emb_layers", SINGLE},
    {"out_layers", SINGLE},
    {"skip_connection", SINGLE},
    {"proj_in", SINGLE},
    {"proj_out", SINGLE},
    {"attn1", SINGLE},
    {"attn2", SINGLE},
    {"to_q", SINGLE},
    {"to_k", SINGLE},
    {"to_v", SINGLE},
    {"to_out", SINGLE},
    {"norm1", SINGLE},
    {"norm2", SINGLE},
    {"norm3", SINGLE},
    {"norm", SINGLE},
    {"net", SINGLE},
    {"proj", SINGLE},
    {"conv", SINGLE},
    {"weight", SINGLE},
    {"bias", SINGLE},
    {"out", SINGLE},
    {"op", SINGLE},
    {"ff", SINGLE},
};

// Returns the word that a name begins with; NULL: none. Words come before those that begin them.
static const struct word *find_word(const char *name) {
    for (size_t i = 0; i < FUM_COUNT(words); i++)
        if (!strncmp(name, words[i].text, strlen(words[i].text))) return &words[i];
    return NULL;
}

// Appends a part and the dot before it. False if there is no room.
static bool append(char *out, size_t *length, const char *part, size_t bytes) {
    if (*length + bytes + 2 > LONGEST_NAME) return false;
    if (*length) out[(*length)++] = '.';
    memcpy(out + *length, part, bytes);
    *length += bytes;
    out[*length] = 0;
    return true;
}

// Appends the numbers that `count` digits behind a word stand for.
static bool append_numbers(char *out, size_t *length, const char *digits, size_t count,
                           const struct word *word) {
    size_t first = 1;
    if (word->digits == TOGETHER) first = count;
    if (word->digits == LAST_ALONE && count > 1) first = count - 1;
    bool good = !count || append(out, length, digits, first);
    for (size_t i = first; i < count && good; i++) good = append(out, length, digits + i, 1);
    return good;
}

// Puts the dots back into a name. False if it is none of the UNet's.
static bool restore_dots(const char *name, char out[LONGEST_NAME]) {
    size_t length = 0;
    while (*name) {
        const struct word *word = find_word(name);
        if (!word || !append(out, &length, word->text, strlen(word->text))) return false;
        name += strlen(word->text);
        size_t digits = 0;
        while (isdigit((unsigned char)name[digits])) digits++;
        if (!append_numbers(out, &length, name, digits, word)) return false;
        name += digits;
    }
    return length > 0;
}

static bool begins_with(const char *text, const char *start) {
    return !strncmp(text, start, strlen(start));
}

bool fum_averages_rename(struct fum_tensors *tensors) {
    char name[LONGEST_NAME];
    for (size_t i = 0; i < tensors->count; i++)
        if (begins_with(tensors->items[i].name, WEIGHTS)) return true;
    for (size_t i = 0; i < tensors->count; i++) {
        struct fum_loader_tensor *t = &tensors->items[i];
        if (!begins_with(t->name, AVERAGES) || !restore_dots(t->name + strlen(AVERAGES), name))
            continue;
        t->name = fum_arena_printf(tensors->arena, WEIGHTS "%s", name);
        if (!t->name) return false;
    }
    return true;
}
