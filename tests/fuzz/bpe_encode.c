// SPDX-License-Identifier: MIT
// libFuzzer target of encoding and decoding: any bytes are a text. tests/text/damage.c calls it
// too.
#include "byte_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static fum_tokenizer *tokenizer;
    if (!tokenizer) tokenizer = make_byte_tokenizer();
    const char *text = size ? (const char *)data : "";
    struct fum_token_ids ids;
    if (fum_tokenizer_encode(tokenizer, text, size, &ids, NULL)) return 0; // too long
    for (size_t i = 0; i < ids.count; i++)
        if (!fum_tokenizer_piece(tokenizer, ids.ids[i])) abort();

    // Cutting changes nothing but the end.
    int32_t cut[9];
    struct fum_token_fit fit;
    if (fum_tokenizer_encode_padded(tokenizer, &(struct fum_padded_text){text, size, 9}, cut, &fit,
                                    NULL))
        abort();
    size_t same = ids.count - 1 < 8 ? ids.count - 1 : 8;
    if (fit.count != ids.count || !fit.cut != (ids.count <= 9) ||
        memcmp(cut, ids.ids, same * sizeof(*cut)))
        abort();
    fum_token_fit_free(&fit);

    // What comes back is UTF-8: decoding it finds no new replacement character, and encoding it
    // works.
    char *back;
    if (fum_tokenizer_decode(tokenizer, ids.ids, ids.count, &back, NULL)) abort();
    size_t bytes = strlen(back), used;
    for (size_t i = 0; i < bytes; i += used)
        if (fum_utf8_next(back + i, bytes - i, &used) == 0xfffd && used != 3) abort();
    fum_token_text_free(&back);
    fum_token_ids_free(&ids);
    return 0;
}
