// SPDX-License-Identifier: MIT
// libFuzzer target of a batch's manifest: rows that are damaged leave it, and what stays is read
// again as it is.
#include "cli/batch/manifest.h"
#include "damage.h"
#include "fitted_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PICTURES = 3, MOST = 8192 };

// Writes the pictures "0", "1" and "2", and their rows.
static void make_rows(char rows[PICTURES][300]) {
    for (int i = 0; i < PICTURES; i++) {
        char name[80], digit[2] = {(char)('0' + i), 0}, sha256[FUM_SHA256_TEXT];
        fum_sha256_text(digit, 1, sha256);
        snprintf(name, sizeof name, "unet/%05d-%d.png", 1 + i / 2, i % 2);
        damage_save(name, digit, 1);
        snprintf(rows[i], sizeof rows[i],
                 "{\"line\":%d,\"file\":\"%s\",\"seed\":%d,\"seconds\":0.5,\"device\":\"a GPU\","
                 "\"rank\":0,\"sha256\":\"%s\"}",
                 1 + i / 2, name + strlen("unet/"), i, sha256);
    }
}

// Puts rows into a manifest, some of them damaged, twice or cut.
static size_t make_manifest(char rows[PICTURES][300], char *text, struct choices *c) {
    size_t used = 0;
    for (uint32_t n = choose(c, 6); n; n--) {
        const char *row = rows[choose(c, PICTURES)];
        size_t bytes;
        char *damaged = damage_json(row, c, &bytes);
        if (bytes > MOST - used - 1) bytes = MOST - used - 1;
        memcpy(text + used, damaged, bytes);
        used += bytes;
        if (!one_in(c, 8)) text[used++] = '\n';
        if (used == MOST) used--;
        free(damaged);
    }
    return used;
}

static void expect(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "fuzzing: %s\n", what);
    abort();
}

static size_t read_manifest(char text[MOST]) {
    char path[300];
    snprintf(path, sizeof path, "%s/unet/manifest.jsonl", fitted_folder());
    FILE *file = fopen(path, "rb");
    expect(file != NULL, "there is no manifest");
    size_t bytes = fread(text, 1, MOST, file);
    fclose(file);
    return bytes;
}

// Opens the manifest. Returns the number of its entries, each of which has one of the pictures.
static size_t open_manifest(void) {
    char folder[300];
    struct manifest manifest;
    snprintf(folder, sizeof folder, "%s/unet", fitted_folder());
    expect(manifest_open(&manifest, folder) == 0, "a manifest is refused");
    size_t count = manifest.count;
    for (size_t i = 0; i < count; i++) {
        const struct manifest_entry *entry = &manifest.entries[i], *before = entry - 1;
        int place = 2 * (entry->line - 1) + entry->index;
        expect(place >= 0 && place < PICTURES && entry->index < 2, "an entry has no picture");
        expect(i == 0 || before->line < entry->line || before->index < entry->index,
               "a picture has two entries");
        expect(manifest_find(&manifest, entry->line) <= entry, "a line is not found");
    }
    manifest_close(&manifest);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char rows[PICTURES][300], text[MOST], first[MOST], second[MOST];
    struct choices c = {data, size, 0};
    if (!rows[0][0]) make_rows(rows);
    damage_save("unet/manifest.jsonl", text, make_manifest(rows, text, &c));
    size_t count = open_manifest(), bytes = read_manifest(first);
    expect(open_manifest() == count, "another number of rows is read again");
    expect(read_manifest(second) == bytes && !memcmp(first, second, bytes),
           "a manifest without damage is written again");
    return 0;
}
