// SPDX-License-Identifier: MIT
// libFuzzer target of the prompt grammar: any text is a prompt. Texts of ranges are in order, the
// pieces of each cover its words, and its chunks are whole.
#include "text/prompt.h"

#include "byte_tokenizer.h"

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

// Chunks have a few ids each, so that most texts need several.
static void check_chunks(const char *text, int length) {
    static fum_tokenizer *tokenizer;
    struct fum_prompt_chunks chunks;
    if (!tokenizer) tokenizer = make_byte_tokenizer();
    const struct fum_prompt_text source = {text, length, length % 2};
    if (fum_prompt_chunk(&chunks, tokenizer, &source, NULL)) abort();
    if (!chunks.count || chunks.length != length) abort();
    for (size_t i = 0; i < chunks.count; i++) {
        const int32_t *ids = chunks.ids + i * (size_t)length;
        if (ids[0] != fum_tokenizer_start_id(tokenizer)) abort();
        if (ids[length - 1] != fum_tokenizer_end_id(tokenizer)) abort();
        for (int k = 0; k < length; k++)
            if (!fum_tokenizer_piece(tokenizer, ids[k])) abort();
    }
    fum_prompt_chunks_free(&chunks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    struct fum_prompt_ranges ranges;
    char *text = make_prompt(data + 1, size - 1);
    const struct fum_prompt_source source = {.text = text,
                                             .steps = 1 + data[0] % 30,
                                             .joins = data[0] & 0x80,
                                             .before = data[0] & 0x40 ? 20 : 0};
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
            if (i < 2) check_chunks(r->text, 3 + data[0] % 29);
        }
        if (last != source.steps || part + 1 != ranges.parts) abort();
    }
    fum_prompt_ranges_free(&ranges);
    free(text);
    return 0;
}
