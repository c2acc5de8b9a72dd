// SPDX-License-Identifier: MIT
// Makes data sets to train on from what a system has installed: characters of its fonts, and its
// emoji. Functions may be called from any number of threads.
#ifndef FUMAROLE_DATASET_H
#define FUMAROLE_DATASET_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

// Reports progress. `cancel` is called often; once it returns true, the call that makes a data set
// ends with FUM_ERR_CANCELLED. Both functions may be NULL.
struct fum_dataset_watch {
    void (*progress)(void *user, int64_t done, int64_t total);
    bool (*cancel)(void *user);
    void *user;
    const struct fum_log *log; // may be NULL
};

// What was made.
struct fum_dataset_report {
    int64_t samples, held_out; // pictures for training, and those kept apart
    int classes;               // characters; 0: emoji
    int fonts, held_out_fonts; // faces that drew them; styles of a family count each
    int skipped;               // faces that draw no such characters, or emoji without a name
};

// Pictures of characters, white on black, rotated, sheared, scaled and moved at random. They are
// IDX files with MNIST's names: train-images-idx3-ubyte, train-labels-idx1-ubyte. The part that is
// held out has t10k instead of train, and families of fonts of its own. classes.txt names the
// classes, fonts.tsv the fonts.
struct fum_dataset_glyphs_params {
    const char *output;     // the folder, made if it is missing
    const char *characters; // UTF-8, each a class; NULL: "0123456789"
    int64_t count;          // pictures for training; 0: 60000
    int64_t held_out;       // pictures that are held out; 0: 10000
    int size;               // pixels of a side; 0: 28
    uint64_t seed;
    const char *fonts; // a font, or a folder of fonts; NULL: those of the system
    struct fum_dataset_watch watch;
};
// Writes the data set; files appear when all are complete. `report` may be NULL. Fails with
// FUM_ERR_UNSUPPORTED if the library was built without FreeType.
FUM_API enum fum_result fum_dataset_glyphs(const struct fum_dataset_glyphs_params *params,
                                           struct fum_dataset_report *report,
                                           struct fum_error *err);

// Pictures of emoji on white, in images/, and captions.tsv with their names, keywords, groups and
// parts. The parts are train, held (5 % by hash) and comp: pairs of a colour and a shape, each of
// which other emoji of train have. Flags and variants by skin tone, gender and direction are left
// out.
struct fum_dataset_emoji_params {
    const char *output;   // the folder, made if it is missing
    int size;             // pixels of a side; 0: 128
    const char *language; // of the names, as CLDR calls it; NULL: "en"
    const char *fonts;    // a colour font, or a folder of fonts; NULL: those of the system
    const char *cldr;     // CLDR's folder `common`; NULL: where systems keep it
    struct fum_dataset_watch watch;
};
// Writes the data set; captions.tsv appears last. `report` may be NULL. Fails with
// FUM_ERR_UNSUPPORTED if the library was built without FreeType or expat.
FUM_API enum fum_result fum_dataset_emoji(const struct fum_dataset_emoji_params *params,
                                          struct fum_dataset_report *report, struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
