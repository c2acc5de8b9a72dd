// SPDX-License-Identifier: MIT
// libFuzzer target of tokenizer.json: the input is its "model". tests/text/damage.c calls it too.
#include "base/json.h"
#include "text/bpe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cJSON *json = NULL;
    struct fum_error err = {0};
    if (fum_json_parse(&json, size ? (const char *)data : "", size, "fuzz.json", &err)) return 0;
    struct fum_bpe *bpe = NULL;
    enum fum_result result =
        fum_bpe_from_json(&bpe, cJSON_GetObjectItemCaseSensitive(json, "vocab"),
                          cJSON_GetObjectItemCaseSensitive(json, "merges"), "fuzz.json", &err);
    cJSON_Delete(json);
    if (result) {
        if (bpe || !err.text[0]) abort();
        return 0;
    }
    for (int32_t id = 0; id < bpe->id_limit; id++)
        if (bpe->pieces[id] && fum_bpe_find(bpe, bpe->pieces[id], strlen(bpe->pieces[id])) != id)
            abort();
    struct fum_bpe_scratch scratch = {0};
    struct fum_id_list ids = {0};
    if (!fum_bpe_encode_word(bpe, &scratch, (const uint8_t *)"aababcab", 8, &ids)) abort();
    fum_free(ids.at);
    fum_bpe_scratch_free(&scratch);
    fum_bpe_destroy(&bpe);
    return 0;
}
