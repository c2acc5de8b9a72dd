// SPDX-License-Identifier: MIT
#include "test.h"

#include "text/golden.h"

#include "base/file.h"

cJSON *golden_load(void) {
    char path[1200];
    cJSON *golden = NULL;
    struct fum_error err;
    snprintf(path, sizeof(path), "%s/tokenizer.json", getenv("FUM_TEST_DATA"));
    if (fum_json_read(&golden, path, &err)) fail_msg("%s", err.text);
    return golden;
}

const char *golden_text(const cJSON *row, char *buffer, size_t *bytes) {
    const char *text = fum_json_string(row, "t", NULL), *hex = fum_json_string(row, "x", "");
    *bytes = text ? strlen(text) : strlen(hex) / 2;
    if (text) return text;
    for (size_t i = 0; i < *bytes; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        buffer[i] = (char)byte;
    }
    return buffer;
}

static bool same_ids(const struct fum_token_ids *ids, const cJSON *expected) {
    if (ids->count != (size_t)cJSON_GetArraySize(expected) + 2) return false;
    size_t i = 1;
    const cJSON *item;
    cJSON_ArrayForEach(item, expected) if (ids->ids[i++] != item->valueint) return false;
    return true;
}

static void print_difference(const fum_tokenizer *t, const char *text,
                             const struct fum_token_ids *ids, const cJSON *expected) {
    char *wanted = cJSON_PrintUnformatted(expected);
    print_error("'%s'\n  expected %s\n  got     ", text, wanted);
    for (size_t i = 0; i < ids->count; i++)
        print_error(" %d(%s)", (int)ids->ids[i], fum_tokenizer_piece(t, ids->ids[i]));
    print_error("\n");
    free(wanted);
}

void golden_check(const cJSON *golden, const fum_tokenizer *t, const char *key) {
    size_t strings = 0, wrong = 0;
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(golden, "strings")) {
        char buffer[512];
        size_t bytes;
        const char *text = golden_text(row, buffer, &bytes);
        const cJSON *expected = cJSON_GetObjectItemCaseSensitive(row, key);
        if (!expected) expected = cJSON_GetObjectItemCaseSensitive(row, "e");
        struct fum_token_ids ids;
        assert_int_equal(fum_tokenizer_encode(t, text, bytes, &ids, NULL), FUM_OK);
        assert_int_equal(ids.ids[0], fum_tokenizer_start_id(t));
        assert_int_equal(ids.ids[ids.count - 1], fum_tokenizer_end_id(t));
        if (!same_ids(&ids, expected) && wrong++ < 10) print_difference(t, text, &ids, expected);
        fum_token_ids_free(&ids);
        strings++;
    }
    assert_int_equal(wrong, 0);
    assert_true(strings >= 2000);
}
