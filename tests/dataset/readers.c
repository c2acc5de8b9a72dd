// SPDX-License-Identifier: MIT
// Data sets of each kind, good and damaged, against the bytes that were written.
#include "dataset.h"

#include <math.h>

#include <zlib.h>

enum { COUNT = 7, W = 5, H = 4 };

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint8_t idx_images[16 + COUNT * W * H], idx_labels[8 + COUNT];

static void make_idx(void) {
    memcpy(idx_images, "\0\0\x08\3", 4);
    put32(idx_images + 4, COUNT);
    put32(idx_images + 8, H);
    put32(idx_images + 12, W);
    for (int i = 0; i < COUNT * W * H; i++) idx_images[16 + i] = (uint8_t)(i * 3);
    memcpy(idx_labels, "\0\0\x08\1", 4);
    put32(idx_labels + 4, COUNT);
    for (int i = 0; i < COUNT; i++) idx_labels[8 + i] = (uint8_t)(i % 3);
}

static void write_gzip(const char *path, const void *bytes, size_t size) {
    gzFile f = gzopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(f), Z_OK);
}

// Checks that sample `index` is picture `source` of idx_images, mirrored or not.
static void check_idx_sample(const fum_data *data, int64_t index, int source, bool flip) {
    float pixels[W * H];
    struct fum_data_sample sample;
    struct fum_error err = {0};
    struct fum_data_pick pick = fum_data_pick_plain(data, index);
    pick.flip = flip;
    ok(fum_data_read(data, pick, pixels, &sample, &err), &err);
    assert_int_equal(sample.label, source % 3);
    assert_string_equal(sample.caption, "");
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            uint8_t byte = idx_images[16 + source * W * H + y * W + x];
            float found = pixels[y * W + (flip ? W - 1 - x : x)];
            assert_true(found == (float)byte / 255);
        }
}

static void idx_is_read_from_folders_and_files(void **state) {
    (void)state;
    make_idx();
    write_file(scratch("idx/train-images-idx3-ubyte"), idx_images, sizeof idx_images);
    write_file(scratch("idx/train-labels-idx1-ubyte"), idx_labels, sizeof idx_labels);
    write_gzip(scratch("gz/train-images-idx3-ubyte.gz"), idx_images, sizeof idx_images);
    write_gzip(scratch("gz/train-labels-idx1-ubyte.gz"), idx_labels, sizeof idx_labels);
    write_file(scratch("raw/MNIST/raw/t10k-images-idx3-ubyte"), idx_images, sizeof idx_images);
    write_gzip(scratch("raw/MNIST/raw/t10k-labels-idx1-ubyte.gz"), idx_labels, sizeof idx_labels);
    const struct fum_data_settings cases[] = {
        {.path = scratch("idx")},
        {.path = scratch("gz"), .kind = "idx"},
        {.path = scratch("gz/train-images-idx3-ubyte.gz"), .split = "train"},
        {.path = scratch("raw"), .split = "test", .kind = "auto"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        fum_data *data = open_good(cases[c]);
        const struct fum_data_info *info = fum_data_get_info(data);
        assert_string_equal(info->kind, "idx");
        assert_int_equal(info->count, COUNT);
        assert_int_equal(info->width, W);
        assert_int_equal(info->height, H);
        assert_int_equal(info->channels, 1);
        assert_int_equal(info->classes, 3);
        assert_int_equal(fum_data_class_counts(data)[0], 3);
        assert_int_equal(fum_data_class_counts(data)[2], 2);
        assert_string_equal(fum_data_class_name(data, 2), "2");
        for (int i = 0; i < COUNT; i++) check_idx_sample(data, i, i, i % 2);
        fum_data_close(&data);
    }
}

static void labels_and_limit_select(void **state) {
    (void)state;
    fum_data *data = open_good((struct fum_data_settings){.path = scratch("idx"), .label = "1, 2"});
    static const int chosen[] = {1, 2, 4, 5};
    assert_int_equal(fum_data_get_info(data)->count, 4);
    assert_int_equal(fum_data_get_info(data)->classes, 3);
    for (int i = 0; i < 4; i++) check_idx_sample(data, i, chosen[i], false);
    fum_data_close(&data);
    data = open_good((struct fum_data_settings){.path = scratch("idx"), .label = "2", .limit = 1});
    assert_int_equal(fum_data_get_info(data)->count, 1);
    check_idx_sample(data, 0, 2, false);
    fum_data_close(&data);
    write_file(scratch("named/train-images-idx3-ubyte"), idx_images, sizeof idx_images);
    write_file(scratch("named/train-labels-idx1-ubyte"), idx_labels, sizeof idx_labels);
    write_text(scratch("named/classes.txt"), "zero\r\n1 one\n2\nthree\n");
    data = open_good((struct fum_data_settings){.path = scratch("named"), .label = "1 one"});
    assert_int_equal(fum_data_get_info(data)->classes, 4);
    assert_string_equal(fum_data_class_name(data, 1), "1 one");
    check_idx_sample(data, 1, 4, false);
    fum_data_close(&data);
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("idx"), .label = "1,7"}),
                    "no class \"7\"");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("idx"), .classes = 2}),
                    "label 2, but the model has 2 classes");
    write_file(scratch("bare/train-images.idx3-ubyte"), idx_images, sizeof idx_images);
    data = open_good((struct fum_data_settings){.path = scratch("bare")});
    assert_int_equal(fum_data_get_info(data)->classes, 0);
    fum_data_close(&data);
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("bare"), .label = "1"}),
                    "no classes");
}

static void damaged_idx_is_refused(void **state) {
    (void)state;
    const char *path = scratch("bad/train-images-idx3-ubyte");
    const struct fum_data_settings settings = {.path = scratch("bad"), .kind = "idx"};
    uint8_t bytes[sizeof idx_images + 1] = {0};
    memcpy(bytes, idx_images, sizeof idx_images);
    write_file(path, bytes, sizeof idx_images - 1);
    assert_contains(open_bad(settings), "cut off");
    write_file(path, bytes, sizeof bytes);
    assert_contains(open_bad(settings), "bytes follow the data");
    write_file(path, bytes, 9);
    assert_contains(open_bad(settings), "within its header");
    put32(bytes + 4, 0xffffffff);
    write_file(path, bytes, sizeof idx_images);
    assert_contains(open_bad(settings), "cut off");
    write_gzip(scratch("bad/huge.gz"), bytes, sizeof idx_images);
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("bad/huge.gz")}),
                    "cut off");
    put32(bytes + 4, 0);
    write_file(path, bytes, 16);
    assert_contains(open_bad(settings), "outside the limits");
    bytes[2] = 0x0d;
    write_file(path, bytes, sizeof idx_images);
    assert_contains(open_bad(settings), "type 0x0d");
    write_file(path, "hello there, this is text", 24);
    assert_contains(open_bad(settings), "not an IDX file");
    write_file(path, idx_images, sizeof idx_images);
    write_file(scratch("bad/train-labels-idx1-ubyte"), "\0\0\x08\1\0\0\0\1\1", 9);
    assert_contains(open_bad(settings), "1 labels for 7 pictures");
    write_file(scratch("bad/cut.gz"), "\x1f\x8b\x08\0\0\0\0\0", 8);
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("bad/cut.gz")}),
                    "not an IDX file packed by gzip");
}

static void cifar_is_read(void **state) {
    (void)state;
    static uint8_t records[3 * 3073];
    for (size_t i = 0; i < sizeof records; i++) records[i] = (uint8_t)(i * 7 + i / 256);
    for (int i = 0; i < 3; i++) records[i * 3073] = (uint8_t)(9 - i);
    write_file(scratch("cifar/data_batch_1.bin"), records, 2 * 3073);
    write_file(scratch("cifar/data_batch_2.bin"), records + 2 * 3073, 3073);
    write_text(scratch("cifar/batches.meta.txt"),
               "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
    fum_data *data = open_good((struct fum_data_settings){.path = scratch("cifar")});
    assert_int_equal(fum_data_get_info(data)->count, 3);
    assert_int_equal(fum_data_get_info(data)->channels, 3);
    assert_string_equal(fum_data_class_name(data, 3), "cat");
    for (int i = 0; i < 3; i++) {
        float pixels[3 * 1024];
        struct fum_data_sample sample;
        struct fum_error err = {0};
        ok(fum_data_read(data, fum_data_pick_plain(data, i), pixels, &sample, &err), &err);
        assert_int_equal(sample.label, 9 - i);
        for (int p = 0; p < 3072; p++)
            assert_true(pixels[p] == (float)records[i * 3073 + 1 + p] / 255);
    }
    fum_data_close(&data);
    data = open_good((struct fum_data_settings){.path = scratch("cifar"), .label = "truck,horse"});
    assert_int_equal(fum_data_get_info(data)->count, 2);
    fum_data_close(&data);
    const char *path = scratch("cifar/short.bin");
    write_file(path, records, 3072);
    assert_contains(open_bad((struct fum_data_settings){.path = path}), "not whole records");
    records[0] = 10;
    write_file(path, records, 3073);
    assert_contains(open_bad((struct fum_data_settings){.path = path}), "label 10");
}

static const uint8_t red[3] = {255, 0, 0}, blue[3] = {0, 0, 255};

// Reads a sample's colour at its last pixel, and its texts.
static struct fum_data_sample read_last(const fum_data *data, int64_t index, float rgb[3]) {
    static float pixels[3 * 64 * 64];
    struct fum_data_sample sample;
    struct fum_error err = {0};
    ok(fum_data_read(data, fum_data_pick_plain(data, index), pixels, &sample, &err), &err);
    size_t plane = (size_t)sample.width * (size_t)sample.height;
    for (size_t c = 0; c < 3; c++) rgb[c] = pixels[c * plane + plane - 1];
    return sample;
}

static void folders_have_captions(void **state) {
    (void)state;
    float rgb[3];
    write_picture(scratch("tsv/images/a.png"), 8, 8, red);
    write_picture(scratch("tsv/images/b.png"), 8, 8, blue);
    write_text(scratch("tsv/captions.tsv"), "file\tname\tkeywords\tsplit\nimages/a.png\tred thing\t"
                                            "red, square\ttrain\r\nimages/b.png\tblue\t\theld\n");
    fum_data *data = open_good((struct fum_data_settings){.path = scratch("tsv")});
    assert_int_equal(fum_data_get_info(data)->count, 1);
    fum_data_close(&data);
    data = open_good((struct fum_data_settings){.path = scratch("tsv"), .split = "all"});
    assert_int_equal(fum_data_get_info(data)->count, 2);
    assert_true(fum_data_get_info(data)->captions);
    struct fum_data_sample sample = read_last(data, 0, rgb);
    assert_string_equal(sample.caption, "red thing");
    assert_string_equal(sample.keywords, "red, square");
    assert_true(rgb[0] == 1 && rgb[2] == 0);
    fum_data_close(&data);
    data = open_good((struct fum_data_settings){.path = scratch("tsv"), .split = "held"});
    assert_int_equal(fum_data_get_info(data)->count, 1);
    assert_string_equal(read_last(data, 0, rgb).caption, "blue");
    fum_data_close(&data);
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("tsv"), .split = "x"}),
                    "lists no pictures of split x");
    write_text(scratch("tsv4/captions.tsv"), "file\tcaption\n");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("tsv4")}),
                    "captions.tsv: the table lists no pictures");
    write_text(scratch("tsv3/captions.tsv"), "file\tcaption\tsplit\n../tsv/images/a.png\tx\tdev\n");
    data = open_good((struct fum_data_settings){.path = scratch("tsv3")});
    assert_string_equal(read_last(data, 0, rgb).caption, "x");
    fum_data_close(&data);
    write_text(scratch("tsv3/captions.tsv"), "../tsv/images/a.png\ta red one\n"
                                             "../tsv/images/b.png\ta blue one\n");
    data = open_good((struct fum_data_settings){.path = scratch("tsv3")});
    assert_int_equal(fum_data_get_info(data)->count, 2);
    assert_string_equal(read_last(data, 0, rgb).caption, "a red one");
    assert_string_equal(read_last(data, 1, rgb).caption, "a blue one");
    fum_data_close(&data);
    write_picture(scratch("jsonl/b.png"), 8, 8, blue);
    write_text(scratch("jsonl/metadata.jsonl"),
               "{\"file_name\": \"b.png\", \"text\": \"a \\\"blue\\\" one\"}\n\n");
    data = open_good((struct fum_data_settings){.path = scratch("jsonl")});
    assert_string_equal(read_last(data, 0, rgb).caption, "a \"blue\" one");
    fum_data_close(&data);
    write_picture(scratch("txt/x.PNG"), 8, 8, red);
    write_picture(scratch("txt/y.png"), 8, 8, red);
    write_text(scratch("txt/x.txt"), "\xef\xbb\xbf \n a red one \nmore\n");
    data = open_good((struct fum_data_settings){.path = scratch("txt")});
    assert_string_equal(read_last(data, 0, rgb).caption, "a red one");
    assert_string_equal(read_last(data, 1, rgb).caption, "");
    fum_data_close(&data);
}

static void sub_folders_are_classes(void **state) {
    (void)state;
    float rgb[3];
    write_picture(scratch("classes/dog/1.png"), 8, 8, red);
    write_picture(scratch("classes/cat/deep/2.png"), 8, 8, blue);
    write_picture(scratch("classes/cat/3.png"), 8, 8, blue);
    fum_data *data = open_good((struct fum_data_settings){.path = scratch("classes")});
    assert_int_equal(fum_data_get_info(data)->count, 3);
    assert_int_equal(fum_data_get_info(data)->classes, 2);
    assert_string_equal(fum_data_class_name(data, 0), "cat");
    assert_int_equal(read_last(data, 2, rgb).label, 1);
    assert_true(rgb[0] == 1);
    fum_data_close(&data);
    data = open_good((struct fum_data_settings){.path = scratch("classes"), .label = "dog"});
    assert_int_equal(fum_data_get_info(data)->count, 1);
    fum_data_close(&data);
}

static void bad_folders_are_refused(void **state) {
    (void)state;
    write_text(scratch("empty/readme"), "nothing");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("empty")}), "no pictures");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("no/such")}),
                    "no data set");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("empty/readme")}),
                    "not a data set");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("empty"), .kind = "tar"}),
                    "available: auto, idx, cifar, images");
    write_text(scratch("tsv2/captions.tsv"), "file\tname\na.png\n");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("tsv2")}),
                    "captions.tsv:2: ");
    write_text(scratch("tsv2/captions.tsv"), "title\tname\n");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("tsv2")}), "`file`");
    write_text(scratch("json2/metadata.jsonl"), "{\"file_name\": \"a\"}\n{\"text\": 1}\n");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("json2")}),
                    "metadata.jsonl:2: no text `file_name`");
    write_text(scratch("json2/metadata.jsonl"), "{\n");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("json2")}), "jsonl:1");
    write_picture(scratch("mixed/a.png"), 8, 8, red);
    write_picture(scratch("mixed/b.png"), 8, 9, red);
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("mixed")}),
                    "b.png has 8x9 pixels, others 8x8");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("mixed"), .width = 4}),
                    "data.height");
    write_text(scratch("broken/a.png"), "not a picture");
    assert_contains(open_bad((struct fum_data_settings){.path = scratch("broken")}),
                    "all 1 pictures are broken");
}

static void pictures_get_the_size(void **state) {
    (void)state;
    float pixels[4 * 4];
    struct fum_data_sample sample;
    struct fum_error err = {0};
    write_picture(scratch("mixed/c.png"), 1, 1, blue);
    fum_data *data = open_good((struct fum_data_settings){
        .path = scratch("mixed"), .width = 4, .height = 4, .channels = 1});
    assert_int_equal(fum_data_get_info(data)->count, 3);
    // Grey first and coloured later is coloured.
    remove(scratch("colours/b.png"));
    const uint8_t grey_pixel = 7;
    ok(fum_image_write_png(
           scratch("colours/a.png"),
           &(struct fum_picture){.pixels = &grey_pixel, .width = 1, .height = 1, .channels = 1},
           &err),
       &err);
    fum_data *colours = NULL;
    for (int files = 1; files <= 2; files++) {
        if (files == 2) write_picture(scratch("colours/b.png"), 2, 2, red);
        colours = open_good(
            (struct fum_data_settings){.path = scratch("colours"), .width = 2, .height = 2});
        assert_int_equal(fum_data_get_info(colours)->channels, files == 1 ? 1 : 3);
        fum_data_close(&colours);
    }
    for (int i = 0; i < 3; i++) {
        ok(fum_data_read(data, fum_data_pick_plain(data, i), pixels, &sample, &err), &err);
        assert_int_equal(sample.source_height, i == 2 ? 1 : 8 + i);
        // red is 76 of 255 as grey; the picture of one pixel is black
        assert_true(fabsf(pixels[15] * 255 - (i == 2 ? 0 : 76)) < 0.01f);
    }
    fum_data_close(&data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_is_read_from_folders_and_files),
        cmocka_unit_test(labels_and_limit_select),
        cmocka_unit_test(damaged_idx_is_refused),
        cmocka_unit_test(cifar_is_read),
        cmocka_unit_test(folders_have_captions),
        cmocka_unit_test(sub_folders_are_classes),
        cmocka_unit_test(bad_folders_are_refused),
        cmocka_unit_test(pictures_get_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
