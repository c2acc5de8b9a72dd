// SPDX-License-Identifier: MIT
// Pictures as files: PNG with the generation parameters inside, as A1111 and the tools around it
// read them.
#ifndef FUM_IO_IMAGE_H
#define FUM_IO_IMAGE_H

#include <fumarole/bitmap.h>

#include "base/file.h"

// A picture to write: 1, 3 or 4 channels of 8 bits, rows from the top, no padding.
struct fum_picture {
    const uint8_t *pixels;
    int width, height, channels;
    // UTF-8, may be NULL: goes into a text chunk under the key "parameters", tEXt where Latin-1 can
    // hold it, else iTXt
    const char *parameters;
    const char *request; // the same under FUM_IMAGE_REQUEST_KEY; may be NULL
    int quality;         // of formats that lose detail, 1 to 100; 0: FUM_IMAGE_QUALITY
};
enum { FUM_IMAGE_QUALITY = 90 };

// The key of the text from which fumarole draws a picture again.
#define FUM_IMAGE_REQUEST_KEY "fumarole"

// Writes a picture as PNG. The file appears only when it is complete.
enum fum_result fum_image_write_png(const char *path, const struct fum_picture *picture,
                                    struct fum_error *err);
// Writes it into memory, freed with fum_free.
enum fum_result fum_image_encode_png(const struct fum_picture *picture, uint8_t **png,
                                     size_t *bytes, struct fum_error *err);

// The bytes of a file, and what errors call it.
struct fum_image_file {
    const uint8_t *data;
    size_t bytes;
    const char *where;
    int64_t max_pixels; // of the picture; 0: FUM_MAX_PIXELS
    bool refuse_inks;   // CMYK is an error, and not converted
};

// Reads a picture of any format (image_format.h), recognised by its first bytes, as `channels` (1
// to 4; 0: as it is) channels. Colours become grey as Pillow computes it, and transparency is
// dropped. `parameters` may be NULL; else it gets the text of a PNG's "parameters" chunk (UTF-8,
// freed with fum_free), or NULL when there is none. Size is checked before anything is decoded: at
// most FUM_MAX_SIDE and FUM_MAX_PIXELS.
enum fum_result fum_image_read(const char *path, int channels, struct fum_bitmap *bitmap,
                               char **parameters, struct fum_error *err);
// Decodes a picture as it is, turned as the orientation in its EXIF says, in all formats.
enum fum_result fum_image_decode_upright(const struct fum_image_file *file,
                                         struct fum_bitmap *bitmap, struct fum_error *err);
// Reads one of at most so many pixels; 0: FUM_MAX_PIXELS. CMYK is an error.
enum fum_result fum_image_read_file(const char *path, int64_t max_pixels, struct fum_bitmap *bitmap,
                                    struct fum_error *err);
enum fum_result fum_image_decode(const struct fum_image_file *file, int channels,
                                 struct fum_bitmap *bitmap, char **parameters,
                                 struct fum_error *err);
// Reads size and channels alone; the pixels stay NULL.
enum fum_result fum_image_read_size(const char *path, struct fum_bitmap *size,
                                    struct fum_error *err);
enum fum_result fum_image_measure(const struct fum_image_file *file, struct fum_bitmap *size,
                                  struct fum_error *err);

// Finds a text that a picture of any format carries, without decoding it: "parameters", or another
// key of a PNG. UTF-8, freed with fum_free. *text is NULL if it has none. Returns false when memory
// is out.
bool fum_image_find_text(const struct fum_image_file *file, const char *key, char **text);

// Converts a picture to another number of channels, 1 to 4, in memory of its own.
enum fum_result fum_bitmap_convert(const struct fum_bitmap *from, int channels,
                                   struct fum_bitmap *to, struct fum_error *err);

// What A1111's create_infotext writes under a picture, with numbers in their fewest digits. NULL
// texts and zeros marked so are left out.
struct fum_image_parameters {
    const char *prompt, *negative; // negative NULL or "": left out
    int steps;
    const char *sampler;  // A1111's label, "Euler a"
    const char *schedule; // "Karras"; NULL: left out
    double cfg;
    uint64_t seed;
    int width, height;
    const char *model_hash, *model; // NULL: left out
    double denoising;               // strength; 0: left out
    int clip_skip;                  // 0, 1: left out
    int eta_noise_seed_delta;       // ENSD; 0: left out
    const char *rng;                // "CPU"; NULL: left out
    const char *version;            // NULL: left out
    // More "key: value" pairs, written before the version.
    const struct fum_image_extra { const char *key, *value; } * extra;
    size_t extra_count;
};
// Returns the text, freed with fum_free; NULL when memory is out.
char *fum_image_format_parameters(const struct fum_image_parameters *p);

#endif
