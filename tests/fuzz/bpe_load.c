// SPDX-License-Identifier: MIT
// libFuzzer target of the vocabulary readers: the input is vocab.json, a NUL, and merges.txt.
// tests/text/damage.c calls it too, with damage of its own making.
#include <fumarole/tokenizer.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "ab <|endoftext|> \xff ABba 12";
    const char *vocab = (const char *)data, *gap = size ? memchr(vocab, 0, size) : NULL;
    size_t vocab_bytes = gap ? (size_t)(gap - vocab) : size;
    const char *merges = gap ? gap + 1 : "";
    size_t merges_bytes = gap ? size - vocab_bytes - 1 : 0;
    fum_tokenizer *tokenizer = NULL;
    struct fum_error err = {0};
    enum fum_result result = fum_tokenizer_create(
        &tokenizer, &(struct fum_tokenizer_texts){vocab, vocab_bytes, merges, merges_bytes}, NULL,
        &err);
    if (result) {
        if (tokenizer || !err.text[0]) abort();
        return 0;
    }
    struct fum_token_ids ids;
    if (fum_tokenizer_encode(tokenizer, text, sizeof(text) - 1, &ids, &err)) abort();
    for (size_t i = 0; i < ids.count; i++)
        if (!fum_tokenizer_piece(tokenizer, ids.ids[i])) abort(); // every id has a piece
    fum_token_ids_free(&ids);
    fum_tokenizer_destroy(&tokenizer);
    return 0;
}
