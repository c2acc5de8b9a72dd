// SPDX-License-Identifier: MIT
// A small tokenizer that has a piece for every byte.
#ifndef TESTS_FUZZ_BYTE_TOKENIZER_H
#define TESTS_FUZZ_BYTE_TOKENIZER_H

#include "text/bpe.h"
#include "text/unicode.h"

#include <fumarole/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Creates a tokenizer of all bytes, alone and as the end of a word, and a few merges.
static inline fum_tokenizer *make_byte_tokenizer(void) {
    static const char merges[] = "a b\nab c</w>\na a\naa aa\nc a\n# #\n! !</w>";
    static const char *const more[] = {
        "ab", "abc</w>", "aa", "aaaa", "ca", "##", "!!</w>", "<|startoftext|>", "<|endoftext|>"};
    char vocab[16384];
    size_t used = 0;
    int id = 0;
    vocab[used++] = '{';
    for (int i = 0; i < 512; i++) {
        char piece[8] = {0};
        fum_utf8_put(piece, fum_bpe_byte_to_char((uint8_t)i));
        const char *escape = *piece == '"' || *piece == '\\' ? "\\" : "";
        used += (size_t)sprintf(vocab + used, "\"%s%s%s\": %d,", escape, piece,
                                i < 256 ? "" : "</w>", id++);
    }
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        used += (size_t)sprintf(vocab + used, "\"%s\": %d,", more[i], id++);
    vocab[used - 1] = '}';
    fum_tokenizer *tokenizer = NULL;
    struct fum_error err;
    if (fum_tokenizer_create(&tokenizer,
                             &(struct fum_tokenizer_texts){vocab, used, merges, sizeof(merges) - 1},
                             NULL, &err))
        abort();
    return tokenizer;
}

#endif
