// SPDX-License-Identifier: MIT
#include "text/prompt_tags.h"

#include <fumarole/tokenizer.h>

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "base/require.h"

static const char start[] = "<lora:";

// Reads a number that is the whole text.
static bool read_weight(const char *text, float *weight) {
    double value;
    if (!fum_number_parse(text, &value) || !isfinite((float)value)) return false;
    *weight = (float)value;
    return true;
}

// Takes an argument after the name. `position` counts those without a name from 0.
static bool read_argument(struct fum_lora_tag *tag, char *text, int *position) {
    if (!strncmp(text, "te=", 3)) return read_weight(text + 3, &tag->text_weight);
    if (!strncmp(text, "unet=", 5)) return read_weight(text + 5, &tag->unet_weight);
    float weight;
    if (!read_weight(text, &weight)) return false;
    if ((*position)++ == 0) tag->text_weight = weight;
    tag->unet_weight = weight;
    return true;
}

// Parses "NAME:1:0.5" in place. False: it is no tag.
static bool parse_tag(struct fum_lora_tag *tag, char *inside) {
    char *next = strchr(inside, ':');
    int position = 0;
    *tag = (struct fum_lora_tag){.name = inside, .text_weight = 1, .unet_weight = 1};
    if (next) *next++ = 0;
    while (next) {
        char *argument = next;
        next = strchr(argument, ':');
        if (next) *next++ = 0;
        if (!read_argument(tag, argument, &position)) return false;
    }
    return *inside != 0;
}

// Takes the tag at `at`, which ends at `end`. False: it stays text.
static bool take_tag(struct fum_prompt_tags *tags, const char *prompt, const char *at,
                     const char *end, bool *memory) {
    struct fum_lora_tag tag;
    char *inside = tags->copy + (at - prompt) + strlen(start);
    tags->copy[end - prompt] = 0;
    if (!parse_tag(&tag, inside)) return false;
    *memory = fum_grow((void **)&tags->loras, &tags->capacity, tags->count, sizeof *tags->loras);
    if (*memory) tags->loras[tags->count++] = tag;
    return true;
}

enum fum_result fum_prompt_tags_take(struct fum_prompt_tags *tags, const char *prompt,
                                     struct fum_error *err) {
    *tags = (struct fum_prompt_tags){0};
    if (fum_require(prompt, "a prompt", err)) return FUM_ERR_ARG;
    *tags = (struct fum_prompt_tags){.prompt = fum_strdup(prompt), .copy = fum_strdup(prompt)};
    bool memory = tags->prompt && tags->copy;
    char *out = tags->prompt;
    for (const char *at = prompt; memory && *at;) {
        const char *end = strncmp(at, start, strlen(start)) ? NULL : strchr(at, '>');
        if (end && take_tag(tags, prompt, at, end, &memory))
            at = end + 1;
        else
            *out++ = *at++;
    }
    if (!memory) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a prompt's tags");
    *out = 0;
    return FUM_OK;
}

enum fum_result fum_prompt_each_lora(const char *prompt, bool (*fn)(void *user, const char *name),
                                     void *user, struct fum_error *err) {
    struct fum_prompt_tags tags;
    enum fum_result result = fum_prompt_tags_take(&tags, prompt, err);
    for (size_t i = 0; i < tags.count && !result; i++)
        if (!fn(user, tags.loras[i].name)) break;
    fum_prompt_tags_free(&tags);
    return result;
}

void fum_prompt_tags_free(struct fum_prompt_tags *tags) {
    fum_free(tags->prompt);
    fum_free(tags->copy);
    fum_free(tags->loras);
    *tags = (struct fum_prompt_tags){0};
}
