// SPDX-License-Identifier: MIT
// Prompts against an independent implementation of A1111's grammar (tests/golden/prompts.py), and
// what that cannot show: long prompts, embeddings, running out of memory.
#include "test.h"

#include "base/alloc.h"
#include "base/json.h"
#include "text/prompt.h"
#include "text/tokenizer.h"

#include <math.h>

static int setup(void **state) {
    char path[1200];
    struct fum_error err;
    fum_tokenizer *tokenizer;
    snprintf(path, sizeof path, "%s/models/emoji/tokenizer", getenv("FUM_SOURCE_ROOT"));
    if (fum_tokenizer_load_dir(&tokenizer, path, &err)) return -1;
    *state = tokenizer;
    return 0;
}

static int teardown(void **state) {
    fum_tokenizer *tokenizer = *state;
    fum_tokenizer_destroy(&tokenizer);
    return 0;
}

// True if a chunk is these words between start, end and padding.
static bool same_chunk(const fum_tokenizer *t, const struct fum_prompt_row *row, int index,
                       const cJSON *want) {
    const cJSON *ids = cJSON_GetObjectItem(want, "ids"),
                *weights = cJSON_GetObjectItem(want, "weights");
    int words = cJSON_GetArraySize(ids), at = index * row->length;
    bool same = row->ids[at] == fum_tokenizer_start_id(t) && row->weights[at] == 1;
    for (int i = 1; i < row->length && same; i++) {
        int32_t id = i == words + 1 ? fum_tokenizer_end_id(t) : fum_tokenizer_pad_id(t);
        double weight = 1;
        if (i <= words) {
            id = cJSON_GetArrayItem(ids, i - 1)->valueint;
            weight = cJSON_GetArrayItem(weights, i - 1)->valuedouble;
        }
        same =
            row->ids[at + i] == id && fabs(row->weights[at + i] - weight) <= 1e-14 * fabs(weight);
    }
    return same;
}

static bool same_row(const fum_tokenizer *t, const struct fum_prompt_row *row, int steps,
                     const cJSON *want) {
    const cJSON *chunks = cJSON_GetObjectItem(want, "chunks");
    bool same = row->weight == fum_json_number(want, "weight", 1) &&
                row->until == (int)fum_json_number(want, "until", steps) &&
                row->chunks == cJSON_GetArraySize(chunks);
    for (int i = 0; i < row->chunks && same; i++)
        same = same_chunk(t, row, i, cJSON_GetArrayItem(chunks, i));
    return same;
}

static void prompts_are_read_as_a1111_reads_them(void **state) {
    const fum_tokenizer *t = *state;
    cJSON *cases = NULL;
    struct fum_error err;
    char path[1200];
    int bad = 0;
    const cJSON *one;
    snprintf(path, sizeof path, "%s/prompts.json", getenv("FUM_TEST_DATA"));
    ok(fum_json_read(&cases, path, &err), &err);
    assert_true(cJSON_GetArraySize(cases) >= 100);
    cJSON_ArrayForEach(one, cases) {
        const cJSON *want = cJSON_GetObjectItem(one, "rows");
        struct fum_prompt prompt = {fum_json_string(one, "prompt", NULL),
                                    (int)fum_json_number(one, "steps", 0), false};
        struct fum_prompt_rows rows;
        ok(fum_tokenizer_read_prompt(t, &prompt, &rows, &err), &err);
        bool same = rows.count == (size_t)cJSON_GetArraySize(want);
        for (size_t i = 0; i < rows.count && same; i++)
            same = same_row(t, &rows.rows[i], prompt.steps, cJSON_GetArrayItem(want, (int)i));
        if (!same) print_error("%d steps: '%s'\n", prompt.steps, prompt.text);
        bad += !same;
        fum_prompt_rows_free(&rows);
    }
    cJSON_Delete(cases);
    assert_int_equal(bad, 0);
}

// In a second pass, steps count on from those of the first, and shares from 1, as in A1111.
static void second_passes_count_on(void **state) {
    (void)state;
    static const struct {
        const char *when;
        int first, second; // last step of "a" in each pass, of 20 and 8 steps; 0: none
    } cases[] = {{"0.25", 5, 0}, {"1.0", 20, 0}, {"1.5", 20, 4}, {"2.5", 20, 8}, {".5", 10, 0},
                 {"7", 7, 0},    {"20", 20, 0},  {"23", 20, 3},  {"40", 20, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int pass = 0; pass < 2; pass++) {
            char text[64];
            struct fum_error err = {0};
            struct fum_prompt_ranges ranges;
            int steps = pass ? 8 : 20, last = pass ? cases[i].second : cases[i].first;
            snprintf(text, sizeof text, "[a:b:%s]", cases[i].when);
            const struct fum_prompt_source source = {
                .text = text, .steps = steps, .joins = true, .before = pass ? 20 : 0};
            ok(fum_prompt_split(&ranges, &source, &err), &err);
            assert_int_equal(ranges.count, 1 + (last > 0 && last < steps));
            assert_int_equal(ranges.at[0].until, last > 0 ? last : steps);
            assert_string_equal(ranges.at[0].text, last > 0 ? "a" : "b");
            fum_prompt_ranges_free(&ranges);
        }
}

// Returns the chunks of a text as pieces, with "|" between chunks and the weight after each word
// that has one.
static void show_chunks(const fum_tokenizer *t, const char *text, bool ignores, char *out) {
    struct fum_prompt_chunks chunks;
    struct fum_error err;
    ok(fum_prompt_chunk(&chunks, t, &(struct fum_prompt_text){text, 7, ignores}, &err), &err);
    *out = 0;
    for (size_t i = 0; i < chunks.count * 7; i++) {
        if (i && i % 7 == 0) strcat(out, "| ");
        if (chunks.ids[i] == t->start || chunks.ids[i] == t->end) continue;
        const char *piece = fum_tokenizer_piece(t, chunks.ids[i]);
        strcat(out, piece ? piece : "_");
        if (chunks.weights[i] != 1) sprintf(out + strlen(out), "*%.3g", chunks.weights[i]);
        strcat(out, " ");
    }
    fum_prompt_chunks_free(&chunks);
}

static void vectors_of_an_embedding_stay_together(void **state) {
    (void)state;
    char path[1200], out[400];
    struct fum_error err;
    fum_tokenizer *t;
    snprintf(path, sizeof path, "%s/models/emoji/tokenizer", getenv("FUM_SOURCE_ROOT"));
    ok(fum_tokenizer_load_dir(&t, path, &err), &err);
    ok(fum_tokenizer_add_word(t, "mystyle", fum_tokenizer_vocab_size(t), 3, &err), &err);
    show_chunks(t, "red cat (mystyle:1.5) dog", false, out);
    assert_string_equal(out, "red</w> cat</w> mystyle*1.5 _*1.5 _*1.5 | dog</w> ");
    show_chunks(t, "red cat red MyStyle dog", false, out);
    assert_string_equal(out, "red</w> cat</w> red</w> | mystyle _ _ dog</w> ");
    fum_tokenizer_destroy(&t);
}

static void tags_are_taken_out(void **state) {
    const fum_tokenizer *t = *state;
    struct fum_prompt_rows rows[2];
    struct fum_error err;
    for (int i = 0; i < 2; i++) {
        const struct fum_prompt prompt = {i ? "cat <lora:x:0.5>dog" : "cat dog", 1, false};
        ok(fum_tokenizer_read_prompt(t, &prompt, &rows[i], &err), &err);
    }
    assert_memory_equal(rows[0].rows[0].ids, rows[1].rows[0].ids,
                        (size_t)rows[0].rows[0].length * sizeof(int32_t));
    for (int i = 0; i < 2; i++) fum_prompt_rows_free(&rows[i]);
}

static void signs_are_text_without_emphasis(void **state) {
    char out[400];
    show_chunks(*state, "(cat)", true, out);
    assert_string_equal(out, "(</w> cat</w> )</w> ");
    show_chunks(*state, "cat BREAK (dog:2)", false, out);
    assert_string_equal(out, "cat</w> | dog</w>*2 ");
}

// Whatever is nested or repeated, a long prompt takes no longer than its length.
static void long_prompts_take_linear_time(void **state) {
    (void)state;
    static const char *const parts[] = {"(",  "[",     "(a",     "[a:", "[a|", "[a:b:1]",
                                        "a)", "(1:1.", "BREAK ", "\\(", "|"};
    const size_t length = 1 << 18;
    char *prompt = malloc(length + 1);
    struct fum_error err;
    assert_non_null(prompt);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct fum_prompt_ranges ranges;
        struct fum_prompt_pieces pieces;
        size_t part = strlen(parts[i]);
        for (size_t at = 0; at < length; at++) prompt[at] = parts[i][at % part];
        prompt[length] = 0;
        ok(fum_prompt_split(&ranges,
                            &(struct fum_prompt_source){.text = prompt, .steps = 20, .joins = true},
                            &err),
           &err);
        ok(fum_prompt_weigh(&pieces, ranges.at[0].text, &err), &err);
        fum_prompt_pieces_free(&pieces);
        fum_prompt_ranges_free(&ranges);
    }
    free(prompt);
}

static void limits_are_refused(void **state) {
    struct fum_prompt_rows rows;
    struct fum_error err;
    char many[200] = "a";
    for (int i = 0; i < 32; i++) strcat(many, " AND");
    const struct fum_prompt bad[] = {{"a", 0, false}, {many, 1, false}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(fum_tokenizer_read_prompt(*state, &bad[i], &rows, &err), FUM_ERR_ARG);
        assert_int_equal(rows.count, 0);
    }
}

static void running_out_of_memory_is_reported(void **state) {
    const struct fum_prompt prompt = {"a (cat:1.2) BREAK [red:[a|b]:2] AND dog:.5 \\(", 4, false};
    struct fum_prompt_rows rows;
    struct fum_error err;
    int failures = 0;
    for (long n = 0;; n++) {
        fum_alloc_fail_after(n);
        enum fum_result result = fum_tokenizer_read_prompt(*state, &prompt, &rows, &err);
        fum_alloc_fail_after(-1);
        if (!result) break;
        assert_int_equal(result, FUM_ERR_NOMEM);
        failures++;
    }
    fum_prompt_rows_free(&rows);
    assert_true(failures > 20);
}

int main(void) {
    const struct CMUnitTest all[] = {
        cmocka_unit_test(prompts_are_read_as_a1111_reads_them),
        cmocka_unit_test(second_passes_count_on),
        cmocka_unit_test(vectors_of_an_embedding_stay_together),
        cmocka_unit_test(tags_are_taken_out),
        cmocka_unit_test(signs_are_text_without_emphasis),
        cmocka_unit_test(long_prompts_take_linear_time),
        cmocka_unit_test(limits_are_refused),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(all, setup, teardown);
}
