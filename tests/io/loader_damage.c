// SPDX-License-Identifier: MIT
// A good file, cut off at every byte, with every bit of its header flipped, with random damage, and
// opened while the n-th allocation fails. Each must end in a loader or in one error; the sanitizers
// watch the rest.
#include "io.h"

#include "io/loader.h"
#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *good;
static size_t good_bytes;

static int make_good(void **state) {
    (void)state;
    static const float floats[12] = {1, 2, 3};
    const struct fum_safetensors_tensor tensors[] = {
        {"model.diffusion_model.input_blocks.0.0.weight",
         in_memory(FUM_F32, 4, floats, 2, 1, 1, 3)},
        {"model.diffusion_model.input_blocks.0.0.bias", in_memory(FUM_F16, 1, floats, 2)},
        {"model.empty", in_memory(FUM_BF16, 2, NULL, 0, 5)},
        {"model.\xc3\xa9", in_memory(FUM_I64, 0, floats, 0)},
    };
    const struct fum_safetensors_text text = {"format", "pt"};
    const char *path = scratch("damage.safetensors");
    if (fum_safetensors_write(
            path,
            &(struct fum_safetensors){
                .tensors = tensors, .count = 4, .metadata = &text, .metadata_count = 1},
            NULL))
        return -1;
    return fum_file_read(path, 1 << 20, &good, &good_bytes, NULL);
}

static int free_good(void **state) {
    (void)state;
    fum_free(good);
    return 0;
}

// A copy of exactly `size` bytes, so that the address sanitizer sees a read past its end.
static void try_bytes(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void cut_off_anywhere(void **state) {
    (void)state;
    for (size_t n = 0; n <= good_bytes; n++) {
        try_bytes((uint8_t *)good, n);
        fum_loader *l = NULL;
        enum fum_result result = fum_loader_open_memory(&l, good, n, "cut", NULL);
        assert_int_equal(result, n == good_bytes ? FUM_OK : FUM_ERR_FORMAT);
        fum_loader_close(&l);
    }
}

static void any_bit_flipped(void **state) {
    (void)state;
    for (size_t i = 0; i < good_bytes * 8; i++) {
        good[i / 8] = (char)(good[i / 8] ^ (1 << (i % 8)));
        try_bytes((uint8_t *)good, good_bytes);
        good[i / 8] = (char)(good[i / 8] ^ (1 << (i % 8)));
    }
}

static uint32_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

// Bytes that mean something to JSON do more harm than random ones.
static void random_damage(void **state) {
    (void)state;
    static const char marks[] = "{}[]\",:0123456789-+eE.\\utfn\0\xff ";
    uint64_t seed = 1;
    uint8_t *bytes = malloc(good_bytes);
    assert_non_null(bytes);
    for (int round = 0; round < 20000; round++) {
        memcpy(bytes, good, good_bytes);
        for (uint32_t n = next_random(&seed) % 6 + 1; n; n--) {
            size_t at = next_random(&seed) % good_bytes;
            bytes[at] = next_random(&seed) % 4
                            ? (uint8_t)marks[next_random(&seed) % (sizeof marks - 1)]
                            : (uint8_t)next_random(&seed);
        }
        try_bytes(bytes, good_bytes);
    }
    free(bytes);
}

static void out_of_memory_anywhere(void **state) {
    (void)state;
    for (long n = 0;; n++) {
        fum_loader *l = NULL;
        struct fum_error err = {0};
        fum_alloc_fail_after(n);
        enum fum_result result = fum_loader_open_memory(&l, good, good_bytes, "good", &err);
        fum_alloc_fail_after(-1);
        if (!result) {
            assert_true(n > 3);
            fum_loader_close(&l);
            break;
        }
        assert_int_equal(result, FUM_ERR_NOMEM);
        assert_null(l);
        assert_contains(err.text, "good");
    }
}

int main(void) {
    const struct CMUnitTest all[] = {
        cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(any_bit_flipped),
        cmocka_unit_test(random_damage),
        cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(all, make_good, free_good);
}
