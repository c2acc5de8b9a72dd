// SPDX-License-Identifier: MIT
#include "api_pictures.h"

#include "../base64.h"

#include <fumarole/bitmap.h>
#include <fumarole/metadata.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 512 << 20 };

static bool read_whole(FILE *in, struct api_file *file) {
    if (fseek(in, 0, SEEK_END) != 0) return false;
    long size = ftell(in);
    if (size < 0 || size > MAX_FILE || fseek(in, 0, SEEK_SET) != 0) return false;
    file->bytes = (size_t)size;
    file->data = malloc(file->bytes + 1);
    if (file->data && fread(file->data, 1, file->bytes, in) == file->bytes) return true;
    free(file->data);
    *file = (struct api_file){0};
    return false;
}

bool api_read_picture(struct jobs *jobs, const cJSON *picture, struct api_file *file) {
    struct jobs_picture found = {0};
    *file = (struct api_file){0};
    if (!jobs_find_picture(jobs, api_member_text(picture, "id"), &found)) return false;
    FILE *in = fopen(found.path, "rb");
    bool good = in && read_whole(in, file);
    if (in) fclose(in);
    return good;
}

bool api_decode_base64(struct api_call *call, const char *name, const char *text,
                       struct api_file *file) {
    enum cli_base64 how = cli_base64_decode(text, &file->data, &file->bytes);
    if (how == CLI_BASE64_NO_MEMORY) return api_refuse_memory(call);
    if (how == CLI_BASE64_GOOD && file->bytes) return true;
    free(file->data);
    *file = (struct api_file){0};
    return api_refuse(call, name, "invalid_image", "%s must be a picture as base64 or a data URL",
                      name);
}

// Scales a picture in place.
static enum fum_result fit_bitmap(struct fum_bitmap *bitmap, const struct api_format *format,
                                  struct fum_error *err) {
    struct fum_bitmap scaled = {.width = format->width, .height = format->height};
    if (!format->width || (bitmap->width == format->width && bitmap->height == format->height))
        return FUM_OK;
    enum fum_result result = fum_bitmap_resize(bitmap, FUM_BITMAP_LANCZOS, &scaled, err);
    if (result) return result;
    fum_bitmap_free(bitmap);
    *bitmap = scaled;
    return FUM_OK;
}

enum fum_result api_convert_file(struct api_file *file, const struct api_format *format,
                                 struct fum_error *err) {
    struct fum_bitmap bitmap = {0};
    struct fum_metadata *metadata = NULL;
    struct fum_bytes bytes = {0};
    enum fum_result result = fum_bitmap_decode(
        &bitmap, &(struct fum_bitmap_file){.data = file->data, .bytes = file->bytes}, err);
    if (!result) result = fit_bitmap(&bitmap, format, err);
    if (!result)
        result = fum_metadata_decode(&metadata, file->data, file->bytes, "the picture", err);
    if (!result)
        result = fum_bitmap_encode(&bitmap,
                                   &(struct fum_bitmap_format){.name = format->name,
                                                               .quality = format->quality,
                                                               .parameters = metadata->parameters},
                                   &bytes, err);
    free(file->data);
    *file = (struct api_file){0};
    if (!result && (file->data = malloc(bytes.count + 1))) {
        memcpy(file->data, bytes.data, bytes.count);
        file->bytes = bytes.count;
    } else if (!result) {
        result = FUM_ERR_NOMEM;
    }
    fum_bytes_free(&bytes);
    fum_metadata_destroy(&metadata);
    fum_bitmap_free(&bitmap);
    return result;
}
