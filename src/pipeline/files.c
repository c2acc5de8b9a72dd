// SPDX-License-Identifier: MIT
// Reads and writes what goes in and out of a run as files.
#include <fumarole/pipeline.h>

#include "base/dtype.h"
#include "base/error.h"
#include "base/text.h"
#include "io/image_writer.h"
#include "io/loader.h"
#include "io/safetensors.h"

enum { MAX_NOISE_DIM = 1 << 24 };

// Returns what is written of a picture.
static struct fum_picture picture_of(const struct fum_image *image) {
    return (struct fum_picture){.pixels = image->pixels,
                                .width = image->width,
                                .height = image->height,
                                .channels = image->channels,
                                .parameters = image->parameters,
                                .request = image->request};
}

enum fum_result fum_image_save(const struct fum_image *image, const char *path,
                               struct fum_error *err) {
    const struct fum_picture picture = picture_of(image);
    return fum_image_write(path, &picture, err);
}

enum fum_result fum_image_encode(const struct fum_image *image, const char *name,
                                 struct fum_bytes *bytes, struct fum_error *err) {
    const struct fum_picture picture = picture_of(image);
    *bytes = (struct fum_bytes){0};
    return fum_image_encode_as(name, &picture, &bytes->data, &bytes->count, err);
}

enum fum_result fum_image_check_name(const char *path, struct fum_error *err) {
    return fum_image_check_ending(path, err);
}

// A tensor "noise" that a file should have.
struct noise_file {
    const char *path;
    int rank;
    const char *layout;
    int *shape; // written: `rank` numbers
};

// Converts the tensor. The loader has checked that its elements lie in the file.
static enum fum_result convert_noise(const struct noise_file *file,
                                     const struct fum_loader_tensor *t, float **noise,
                                     struct fum_error *err) {
    size_t count = 1;
    const char *path = file->path;
    if (!t) return fum_error_set(err, FUM_ERR_FORMAT, "%s: has no tensor \"noise\"", path);
    if (t->view.rank != file->rank)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: tensor \"noise\" has %d dimensions, not the %d of [%s]", path,
                             t->view.rank, file->rank, file->layout);
    if (t->view.dtype == FUM_DTYPE_UNKNOWN)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: tensor \"noise\" is stored as %s, which fumarole does not read",
                             path, fum_text_show(t->type).text);
    for (int i = 0; i < file->rank; i++) {
        if (t->view.dim[i] > MAX_NOISE_DIM)
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor \"noise\" is far too large",
                                 path);
        file->shape[i] = (int)t->view.dim[i];
        count *= (size_t)t->view.dim[i];
    }
    struct fum_view view = t->view;
    void *copy = NULL;
    enum fum_result result = fum_view_load(&view, fum_view_bytes(&t->view), &copy, err);
    if (!result && !(*noise = fum_alloc(count, sizeof **noise)))
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu numbers", path, count);
    if (!result) fum_convert_to_f32(*noise, view.data, view.dtype, count);
    fum_free(copy);
    return result;
}

static enum fum_result read_noise(const struct noise_file *file, float **noise,
                                  struct fum_error *err) {
    fum_loader *loader = NULL;
    *noise = NULL;
    enum fum_result result = fum_loader_open(&loader, file->path, err);
    if (!result) result = convert_noise(file, fum_loader_find(loader, "noise"), noise, err);
    fum_loader_close(&loader);
    return result;
}

enum fum_result fum_noise_read(const char *path, float **noise, int shape[4],
                               struct fum_error *err) {
    const struct noise_file file = {path, 4, "n, channels, height, width", shape};
    return read_noise(&file, noise, err);
}

enum fum_result fum_step_noise_read(const char *path, float **noise, int shape[5],
                                    struct fum_error *err) {
    const struct noise_file file = {path, 5, "steps, n, channels, height, width", shape};
    return read_noise(&file, noise, err);
}

void fum_noise_free(float **noise) {
    if (!noise) return;
    fum_free(*noise);
    *noise = NULL;
}

static enum fum_result save_tensor(const char *path, const char *name, const float *values,
                                   const int shape[4], struct fum_error *err) {
    struct fum_safetensors_tensor tensor = {name, {.dtype = FUM_F32, .rank = 4, .data = values}};
    for (int i = 0; i < 4; i++) tensor.view.dim[i] = shape[i];
    return fum_safetensors_write(path, &(struct fum_safetensors){.tensors = &tensor, .count = 1},
                                 err);
}

enum fum_result fum_latents_save(const char *path, const float *latents, const int shape[4],
                                 struct fum_error *err) {
    return save_tensor(path, "latents", latents, shape, err);
}

enum fum_result fum_noise_save(const char *path, const float *noise, const int shape[4],
                               struct fum_error *err) {
    return save_tensor(path, "noise", noise, shape, err);
}
