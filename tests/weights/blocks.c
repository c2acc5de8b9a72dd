// SPDX-License-Identifier: MIT
// Quantised packings: blocks of a file are taken over as they are, and values are quantised to the
// same words.

#include "test.h"

#include <math.h>

#include "base/block.h"
#include "base/file.h"
#include "weights/packing.h"

enum { INPUTS = 512, OUTPUTS = 37, COUNT = INPUTS * OUTPUTS, MAX_WORDS = INPUTS * OUTPUTS };

struct blocks {
    const struct fum_packing *packing;
    struct fum_weight weight;
    float *values;  // as a file has them, [out, in]
    uint8_t *bytes; // their blocks
    struct fum_view view;
};

static struct blocks make_blocks(int index) {
    const struct fum_desc dense = {{2, {INPUTS, OUTPUTS}}, FUM_F32};
    struct blocks b = {.packing = fum_quantised_packings[index]};
    const struct fum_block_type *type = b.packing->block->type;
    size_t count = (size_t)(COUNT / type->values);
    b.weight.packing = b.packing;
    b.weight.desc = fum_packing_desc(b.packing, &dense);
    b.values = malloc(COUNT * sizeof *b.values);
    b.bytes = malloc(count * (size_t)type->bytes);
    for (int i = 0; i < COUNT; i++) b.values[i] = sinf((float)(i * i % 9973)) * 0.05f;
    fum_blocks_write(type, b.values, count, b.bytes);
    b.view = (struct fum_view){.dtype = FUM_F32,
                               .rank = 2,
                               .dim = {OUTPUTS, INPUTS},
                               .blocks = type,
                               .block_data = b.bytes};
    return b;
}

static void free_blocks(struct blocks *b) {
    free(b->values);
    free(b->bytes);
}

static struct fum_pack_target make_target(const struct blocks *b, uint32_t *words) {
    const struct fum_shape *shape = &b->weight.desc.shape;
    assert_true(fum_shape_count(shape) <= MAX_WORDS);
    return (struct fum_pack_target){
        .data = words, .type = FUM_F32, .row_elements = OUTPUTS, .count = fum_shape_rows(shape)};
}

static void pack(const struct blocks *b, const struct fum_view *view, uint32_t *words) {
    struct fum_error err = {0};
    const struct fum_pack_target to = make_target(b, words);
    assert_int_equal(fum_pack_tensor(&b->weight, view, &to, &err), FUM_OK);
}

static void words_stand_for_the_values_of_blocks(void **state) {
    (void)state;
    static uint32_t words[MAX_WORDS];
    static double read[COUNT];
    static float expected[COUNT];
    const struct fum_shape dense = {2, {INPUTS, OUTPUTS}};
    for (int i = 0; fum_quantised_packings[i]; i++) {
        struct blocks b = make_blocks(i);
        const struct fum_block_type *type = b.packing->block->type;
        assert_true(fum_packing_keeps(b.packing, &b.view));
        pack(&b, &b.view, words);
        fum_quantised_read(b.packing, &dense, words, read);
        fum_blocks_read(type, b.bytes, (size_t)(COUNT / type->values), expected);
        for (int o = 0; o < OUTPUTS; o++)
            for (int k = 0; k < INPUTS; k++)
                if (fabs(read[k * OUTPUTS + o] - (double)expected[o * INPUTS + k]) > 1e-8)
                    fail_msg("%s: output %d, input %d", type->name, o, k);
        free_blocks(&b);
    }
}

static void values_and_blocks_become_the_same_words(void **state) {
    (void)state;
    static uint32_t words[MAX_WORDS], others[MAX_WORDS];
    for (int i = 0; fum_quantised_packings[i]; i++) {
        struct blocks b = make_blocks(i);
        const struct fum_view values = {
            .dtype = FUM_F32, .rank = 2, .dim = {OUTPUTS, INPUTS}, .data = b.values};
        size_t used = (size_t)fum_shape_count(&b.weight.desc.shape) * sizeof *words;
        pack(&b, &b.view, words);
        pack(&b, &values, others);
        assert_memory_equal(words, others, used);
        // In ranges of rows that begin and end within blocks.
        struct fum_pack_target to = make_target(&b, others);
        int64_t rows = to.count;
        memset(others, 0, used);
        for (to.first = 0; to.first < rows; to.first += to.count) {
            to.count = rows - to.first < 7 ? rows - to.first : 7;
            to.data = others + to.first * OUTPUTS;
            fum_pack_rows(&b.weight, &b.view, &to);
        }
        assert_memory_equal(words, others, used);
        free_blocks(&b);
    }
}

// The blocks of the last rows of a tensor in a file, as a fused tensor's third is.
static void blocks_are_read_from_a_file(void **state) {
    (void)state;
    static uint32_t words[MAX_WORDS], others[MAX_WORDS];
    const char *path = "weights-blocks.bin"; // beside the test
    for (int i = 0; fum_quantised_packings[i]; i++) {
        struct fum_error err = {0};
        struct fum_file *file = NULL;
        struct blocks b = make_blocks(i);
        const struct fum_block_type *type = b.packing->block->type;
        size_t row = (size_t)(INPUTS / type->values * type->bytes);
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        fwrite("head", 1, 4, out);
        fwrite(b.bytes, 1, row, out); // a row before the weight's
        fwrite(b.bytes, row, OUTPUTS, out);
        fclose(out);
        assert_int_equal(fum_file_open(&file, path, &err), FUM_OK);
        struct fum_view view = b.view;
        view.block_data = NULL;
        view.file = file;
        view.block_offset = 4;
        fum_view_skip(&view, INPUTS * sizeof(float));
        pack(&b, &b.view, words);
        pack(&b, &view, others);
        assert_memory_equal(words, others,
                            (size_t)fum_shape_count(&b.weight.desc.shape) * sizeof *words);
        fum_file_close(&file);
        free_blocks(&b);
    }
    remove(path);
}

static void other_blocks_are_not_taken_over(void **state) {
    (void)state;
    struct blocks b = make_blocks(0);
    struct fum_view view = b.view;
    view.blocks = &fum_block_q5_1;
    assert_false(fum_packing_keeps(b.packing, &view));
    view = b.view;
    fum_view_skip(&view, 4);
    assert_false(fum_packing_keeps(b.packing, &view));
    view = b.view;
    view.rank = 3;
    view.dim[2] = 3;
    assert_false(fum_packing_keeps(b.packing, &view));
    free_blocks(&b);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(words_stand_for_the_values_of_blocks),
        cmocka_unit_test(values_and_blocks_become_the_same_words),
        cmocka_unit_test(blocks_are_read_from_a_file),
        cmocka_unit_test(other_blocks_are_not_taken_over),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
