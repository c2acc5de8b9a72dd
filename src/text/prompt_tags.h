// SPDX-License-Identifier: MIT
// Takes tags such as <lora:NAME:0.8> out of a prompt.
#ifndef FUM_TEXT_PROMPT_TAGS_H
#define FUM_TEXT_PROMPT_TAGS_H

#include <fumarole/core.h>

// <lora:NAME>, <lora:NAME:weight> or A1111's <lora:NAME:text_weight:unet_weight>. A weight may be
// called "te=" or "unet=".
struct fum_lora_tag {
    const char *name; // in the tags' text
    float text_weight, unet_weight;
};

struct fum_prompt_tags {
    char *prompt; // without the tags
    char *copy;   // of the whole, cut into the tags' names
    struct fum_lora_tag *loras;
    size_t count, capacity;
};

// Takes the tags out. Other tags, and those without a name, stay text. Free the result with
// fum_prompt_tags_free, also after a failure.
enum fum_result fum_prompt_tags_take(struct fum_prompt_tags *tags, const char *prompt,
                                     struct fum_error *err);
void fum_prompt_tags_free(struct fum_prompt_tags *tags);

#endif
