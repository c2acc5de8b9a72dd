// SPDX-License-Identifier: MIT
// Reads how a picture was made from the texts that it carries, as A1111 writes them.
#ifndef FUMAROLE_METADATA_H
#define FUMAROLE_METADATA_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fum_metadata_field {
    const char *key, *value; // "Steps" and "20"; a quoted value without its quotes
};

// All texts are UTF-8 and belong to the metadata.
struct fum_metadata {
    const char *parameters; // the whole text; NULL: the picture carries none
    const char *prompt, *negative_prompt;
    // Those of the last line, if it has at least three, in its order and once each: the first 4096
    // at most.
    const struct fum_metadata_field *fields;
    size_t num_fields;
    // What fumarole needs to draw it again, a JSON object; NULL: the picture carries none.
    const char *request;
};

// Reads the texts of a PNG (tEXt, zTXt, iTXt, or EXIF), JPEG or WebP (the UserComment of EXIF).
// Free it with fum_metadata_destroy. Errors: FUM_ERR_IO, FUM_ERR_FORMAT (no picture),
// FUM_ERR_NOMEM.
FUM_API enum fum_result fum_metadata_read(struct fum_metadata **metadata, const char *path,
                                          struct fum_error *err);
// Reads the texts of a picture whose file is in memory. `name` is what errors call it.
FUM_API enum fum_result fum_metadata_decode(struct fum_metadata **metadata, const void *data,
                                            size_t bytes, const char *name, struct fum_error *err);
// Takes a text of parameters apart. NULL: there is none.
FUM_API enum fum_result fum_metadata_parse(struct fum_metadata **metadata, const char *parameters,
                                           struct fum_error *err);
FUM_API void fum_metadata_destroy(struct fum_metadata **metadata);
// Returns the value of a field; NULL: there is no such field.
FUM_API const char *fum_metadata_find(const struct fum_metadata *metadata, const char *key);

#ifdef __cplusplus
}
#endif

#endif
