// SPDX-License-Identifier: MIT
// libFuzzer target of the prompt grammar: any text is a prompt. Texts of ranges are in order and
// the pieces of each cover its words.
#include "text/prompt.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Makes signs frequent: a byte from 0x80 on stands for one of the grammar's.
static char *make_prompt(const uint8_t *data, size_t size) {
    static const char *const signs[] = {"(",  ")",     "[",   "]",     ":",
                                        "|",  "\\",    "AND", " ",     "1.5",
                                        ":2", "BREAK", ",",   ":0.5]", "\xe3\x80\x80",
                                        "\n", "e9"};
    const size_t count = sizeof signs / sizeof *signs;
    char *text = calloc(8 * size + 1, 1), *out = text;
    if (!text) abort();
    for (size_t i = 0; i < size; i++) {
        if (data[i] >= 0x80 && data[i] < 0xf0)
            out += strlen(strcpy(out, signs[data[i] % count]));
        else if (data[i])
            *out++ = (char)data[i];
    }
    *out = 0;
    return text;
}

static void check_pieces(const char *text) {
    struct fum_prompt_pieces pieces;
    if (fum_prompt_weigh(&pieces, text, NULL)) abort();
    size_t bytes = 0;
    for (size_t i = 0; i < pieces.count; i++) {
        if (pieces.at[i].start != bytes) abort();
        bytes += pieces.at[i].bytes;
    }
    if (!pieces.count || bytes > strlen(text)) abort();
    fum_prompt_pieces_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    struct fum_prompt_ranges ranges;
    char *text = make_prompt(data + 1, size - 1);
    const struct fum_prompt_source source = {text, 1 + data[0] % 30, data[0] & 0x80};
    if (!fum_prompt_split(&ranges, &source, NULL)) {
        int part = 0, last = 0;
        for (size_t i = 0; i < ranges.count; i++) {
            const struct fum_prompt_range *r = &ranges.at[i];
            if (r->part != part && (r->part != part + 1 || last != source.steps)) abort();
            if (r->part != part) last = 0;
            if (r->until <= last || strlen(r->text) > strlen(text)) abort();
            part = r->part;
            last = r->until;
            check_pieces(r->text);
        }
        if (last != source.steps || part + 1 != ranges.parts) abort();
    }
    fum_prompt_ranges_free(&ranges);
    free(text);
    return 0;
}
