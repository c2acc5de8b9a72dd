// SPDX-License-Identifier: MIT
// Compiles and runs the encoder and the decoder of autoencoders that draw by themselves.
#include "pipeline/autoencoder.h"

#include "base/error.h"
#include "graph/graph.h"
#include "io/image.h"
#include "pipeline/compile.h"
#include "pipeline/finite.h"

#include <string.h>

// ---- forms ----

// Returns the network whose latents are a small picture; NULL: they are a vector.
static const struct fum_vae_config *find_spatial(const struct fum_model_view *view) {
    if (view->autoencoder) return NULL;
    return view->vqvae ? &view->vqvae->vae : &view->vae;
}

// Returns the numbers of a latent vector that is drawn, or encoded.
static int count_latents(const struct fum_autoencoder *a, bool encoded) {
    int count = a->latent[0];
    for (int i = 1; a->chain && i < a->levels && !encoded; i++) count += a->latent[i];
    return count;
}

struct fum_latent_form fum_latent_form_of(const fum_pipeline *pipe, bool encoded, int width,
                                          int height) {
    const struct fum_model_view *view = pipe->view;
    const struct fum_vae_config *spatial = find_spatial(view);
    struct fum_latent_form form = {.encoded = encoded,
                                   .height = 1,
                                   .width = 1,
                                   .picture_width = width,
                                   .picture_height = height,
                                   .seamless = pipe->seamless};
    if (!spatial) {
        form.channels = count_latents(view->autoencoder, encoded);
        return form;
    }
    form.channels = view->vqvae ? spatial->code_channels : spatial->latent_channels;
    form.height = height / fum_vae_factor(spatial);
    form.width = width / fum_vae_factor(spatial);
    return form;
}

static bool same_form(const struct fum_latent_form *a, const struct fum_latent_form *b) {
    return a->encoded == b->encoded && a->picture_width == b->picture_width &&
           a->picture_height == b->picture_height && a->seamless == b->seamless;
}

size_t fum_latent_count(const struct fum_latent_form *f) {
    return (size_t)f->channels * (size_t)f->height * (size_t)f->width;
}

int fum_autoencoder_channels(const fum_pipeline *pipe) {
    const struct fum_vae_config *spatial = find_spatial(pipe->view);
    return spatial ? spatial->out_channels : pipe->view->autoencoder->channels;
}

// True if the network takes and gives pictures as [channels, height, width].
static bool has_planes(const fum_pipeline *pipe) {
    return pipe->view->autoencoder && !pipe->view->autoencoder->conv;
}

// ---- graphs ----

// Adds the chain from z_T down to z_1, with the noise behind z_T.
static fum_tensor *add_chain(struct fum_nn *nn, const struct fum_autoencoder *a, fum_tensor *all) {
    int at = a->latent[a->levels - 1];
    fum_tensor *z = fum_nn_slice(nn, NULL, all, (struct fum_nn_range){1, 0, at});
    for (int t = a->levels - 1; t >= 1; t--) {
        fum_tensor *noise =
            fum_nn_slice(nn, NULL, all, (struct fum_nn_range){1, at, a->latent[t - 1]});
        struct fum_posterior p = fum_autoencoder_link(nn, a, "p", t, z);
        z = fum_posterior_sample(nn, &p, noise);
        at += a->latent[t - 1];
    }
    return z;
}

// Adds the decoder of a variational autoencoder. Returns pixels in [-1, 1].
static fum_tensor *decode_gaussian(fum_graph *graph, const struct fum_autoencoder *a,
                                   const struct fum_latent_form *f, fum_tensor *z) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, NULL);
    if (a->chain && !f->encoded) z = add_chain(&nn, a, z);
    fum_tensor *mean = fum_nn_unary(&nn, "sigmoid", NULL, fum_autoencoder_decode(&nn, a, z));
    return fum_nn_scale(&nn, NULL, mean, 2, -1);
}

// Adds the lookup of the nearest vectors and the decoder.
static fum_tensor *decode_vectors(fum_graph *graph, const struct fum_vq_config *vq, fum_tensor *z) {
    fum_tensor *table = fum_vq_codebook(graph, vq, NULL);
    struct fum_nn nn;
    fum_nn_init(&nn, graph, NULL);
    z = fum_nn_stored(&nn, z);
    if (!z || !table) return NULL;
    fum_tensor *codes = fum_graph_add(graph, "nearest_row", NULL, FUM_INPUTS(z, table), NULL);
    fum_tensor *vectors = fum_graph_add(graph, "embedding", NULL, FUM_INPUTS(codes, table), NULL);
    return fum_vq_decode(graph, vq, NULL, vectors);
}

// Adds the decoder. Returns pixels in about [-1, 1].
static fum_tensor *add_decoder(fum_graph *graph, const struct fum_model_view *view,
                               const struct fum_autoencoding *e) {
    if (view->autoencoder) return decode_gaussian(graph, view->autoencoder, &e->form, e->latents);
    if (view->vqvae) return decode_vectors(graph, view->vqvae, e->latents);
    return fum_vae_decode(graph, &view->vae, NULL, e->latents);
}

static enum fum_result build_decoder(const fum_pipeline *pipe, struct fum_autoencoding *e,
                                     fum_graph **out, struct fum_error *err) {
    const struct fum_latent_form *f = &e->form;
    const struct fum_model_view *view = pipe->view;
    struct fum_shape shape = {4, {1, f->height, f->width, f->channels}};
    if (view->autoencoder) shape = (struct fum_shape){2, {1, f->channels}};
    enum fum_result result = fum_graph_create(out, pipe->vae->storage, err);
    if (result) return result;
    fum_graph *graph = *out;
    fum_graph_wrap(graph, fum_seamless_axes(f->seamless));
    e->latents = fum_graph_input(graph, "latents", shape, FUM_F32, FUM_STAGE_STEP);
    e->pixels = add_decoder(graph, view, e);
    fum_graph_output(graph, e->pixels, "pixels");
    return fum_component_check_graph(pipe->vae, graph, err);
}

enum fum_result fum_autoencoder_build(struct fum_component *component, const struct fum_run *run,
                                      fum_graph **graph, struct fum_error *err) {
    fum_pipeline *pipe = component->pipe;
    struct fum_autoencoding e = {.form = fum_latent_form_of(pipe, false, run->width, run->height)};
    return build_decoder(pipe, &e, graph, err);
}

// Adds the mean of a picture's latents.
static fum_tensor *encode_gaussian(fum_graph *graph, const struct fum_autoencoder *a,
                                   fum_tensor *x) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, NULL);
    if (a->chain) return fum_autoencoder_link(&nn, a, "q", 1, x).mean;
    return fum_autoencoder_encode(&nn, a, x).mean;
}

static fum_tensor *add_encoder(fum_graph *graph, const struct fum_model_view *view, fum_tensor *x) {
    struct fum_vae_moments moments;
    if (view->autoencoder) return encode_gaussian(graph, view->autoencoder, x);
    if (view->vqvae) return fum_vq_encode(graph, view->vqvae, NULL, x);
    fum_vae_encode(graph, &view->vae, NULL, x, &moments);
    return moments.mean;
}

static enum fum_result build_encoder(fum_pipeline *pipe, const struct fum_latent_form *f,
                                     struct fum_error *err) {
    struct fum_autoencoding *e = &pipe->autoencoding;
    const struct fum_model_view *view = pipe->view;
    struct fum_shape shape = {
        4, {1, f->picture_height, f->picture_width, fum_autoencoder_channels(pipe)}};
    if (view->autoencoder) shape = fum_autoencoder_shape(view->autoencoder, 1);
    enum fum_result result =
        fum_graph_create(&pipe->vae_encoder->compiled.graph, pipe->vae_encoder->storage, err);
    if (result) return result;
    fum_graph *graph = pipe->vae_encoder->compiled.graph;
    e->picture =
        fum_graph_input(graph, "picture", shape, pipe->vae_encoder->storage, FUM_STAGE_STEP);
    e->mean = add_encoder(graph, view, e->picture);
    fum_graph_output(graph, e->mean, "mean");
    return fum_component_check_graph(pipe->vae_encoder, graph, err);
}

// ---- runs ----

// Finishes what a build began.
static enum fum_result compile(struct fum_component *component, enum fum_result result,
                               struct fum_error *err) {
    struct fum_compiled *compiled = &component->compiled;
    if (!result) result = fum_component_compile(component, compiled, err);
    if (!result) result = fum_executable_run(compiled->exe, FUM_STAGE_LOAD, err);
    if (result) fum_compiled_clear(compiled);
    return result;
}

enum fum_result fum_autoencoder_prepare(fum_pipeline *pipe, const struct fum_latent_form *f,
                                        struct fum_error *err) {
    struct fum_autoencoding *e = &pipe->autoencoding;
    if (!same_form(&e->form, f)) {
        fum_compiled_clear(&pipe->vae->compiled);
        fum_compiled_clear(&pipe->vae_encoder->compiled);
    }
    e->form = *f;
    enum fum_result result = FUM_OK;
    if (!pipe->vae->compiled.exe)
        result = compile(pipe->vae, build_decoder(pipe, e, &pipe->vae->compiled.graph, err), err);
    if (!result && f->encoded && !pipe->vae_encoder->compiled.exe)
        result = compile(pipe->vae_encoder, build_encoder(pipe, f, err), err);
    return result;
}

static size_t count_values(const fum_tensor *tensor) {
    return (size_t)fum_shape_count(&tensor->desc.shape);
}

// What a network reads, and what it writes to.
struct pass {
    const fum_tensor *in, *out;
    const float *values;
    float *results;
};

// Runs a compiled network. At non-finite results the component becomes f32, or the pass fails when
// it is.
static enum fum_result run_pass(struct fum_component *component, const struct pass *p, bool *finite,
                                struct fum_error *err) {
    fum_executable *exe = component->compiled.exe;
    const char *node = NULL;
    size_t count = count_values(p->out);
    enum fum_result result = fum_executable_write(exe, p->in, p->values, count_values(p->in), err);
    if (!result) result = fum_executable_run(exe, FUM_STAGE_STEP, err);
    if (!result) result = fum_executable_read(exe, p->out, p->results, count, err);
    *finite = !result && fum_finite_values(p->results, count);
    if (result || *finite) return result;
    result = fum_executable_first_nonfinite(exe, FUM_STAGE_STEP, &node, err);
    if (!result) result = fum_component_widen(component, node ? node : "it", "again", err);
    return result;
}

// Decodes latents to the network's values.
static enum fum_result decode_values(fum_pipeline *pipe, const struct fum_latent_form *form,
                                     const float *z, float *values, struct fum_error *err) {
    const struct fum_autoencoding *e = &pipe->autoencoding;
    enum fum_result result = FUM_OK;
    for (bool finite = false; !result && !finite;) {
        result = fum_autoencoder_prepare(pipe, form, err);
        const struct pass pass = {e->latents, e->pixels, z, values};
        if (!result) result = run_pass(pipe->vae, &pass, &finite, err);
    }
    return result;
}

enum fum_result fum_autoencoder_draw(fum_pipeline *pipe, const struct fum_latent_form *form,
                                     const float *z, uint8_t *pixels, struct fum_error *err) {
    size_t channels = (size_t)fum_autoencoder_channels(pipe);
    size_t each = (size_t)form->picture_width * (size_t)form->picture_height,
           count = each * channels;
    float *values = fum_alloc(2 * count, sizeof *values);
    if (!values) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    enum fum_result result = decode_values(pipe, form, z, values, err);
    if (!result && has_planes(pipe)) fum_planes_to_pixels(values, values + count, each, channels);
    if (!result) fum_pixels_to_bytes(values + (has_planes(pipe) ? count : 0), pixels, count);
    fum_free(values);
    return result;
}

enum fum_result fum_autoencoder_check_size(const fum_pipeline *pipe, const char *path, int width,
                                           int height, struct fum_error *err) {
    const struct fum_model_info *info = fum_model_get_info(pipe->model);
    int multiple = info->size_multiple;
    bool any = find_spatial(pipe->view) != NULL;
    bool fits = any ? width % multiple == 0 && height % multiple == 0
                    : width == info->width && height == info->height;
    if (fits) return FUM_OK;
    if (any)
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s: is %d × %d pixels, where the model takes multiples of %d; crop "
                             "or scale it first",
                             path, width, height, multiple);
    return fum_error_set(err, FUM_ERR_ARG,
                         "%s: is %d × %d pixels, where the model takes %d × %d; crop or scale it "
                         "first",
                         path, width, height, info->width, info->height);
}

enum fum_result fum_autoencoder_encode_values(fum_pipeline *pipe, const struct fum_latent_form *f,
                                              const float *values, float *z,
                                              struct fum_error *err) {
    const struct fum_autoencoding *e = &pipe->autoencoding;
    enum fum_result result = FUM_OK;
    for (bool finite = false; !result && !finite;) {
        result = fum_autoencoder_prepare(pipe, f, err);
        const struct pass pass = {e->picture, e->mean, values, z};
        if (!result) result = run_pass(pipe->vae_encoder, &pass, &finite, err);
    }
    return result;
}

enum fum_result fum_autoencoder_encode_planes(fum_pipeline *pipe, const struct fum_latent_form *f,
                                              const float *planes, float *z,
                                              struct fum_error *err) {
    bool signed_pixels = find_spatial(pipe->view) != NULL; // -1 to 1
    size_t pixels = (size_t)f->picture_width * (size_t)f->picture_height,
           channels = (size_t)fum_autoencoder_channels(pipe), count = pixels * channels;
    float *values = fum_alloc(count, sizeof *values);
    if (!values) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    if (has_planes(pipe))
        memcpy(values, planes, count * sizeof *values);
    else
        fum_planes_to_pixels(planes, values, pixels, channels);
    for (size_t i = 0; i < count && signed_pixels; i++) values[i] = 2 * values[i] - 1;
    enum fum_result result = fum_autoencoder_encode_values(pipe, f, values, z, err);
    fum_free(values);
    return result;
}

enum fum_result fum_autoencoder_reconstruct(fum_pipeline *pipe, const struct fum_latent_form *f,
                                            const float *planes, uint8_t *pixels,
                                            struct fum_error *err) {
    float *z = fum_alloc(fum_latent_count(f), sizeof *z);
    if (!z) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for latents");
    enum fum_result result = fum_autoencoder_encode_planes(pipe, f, planes, z, err);
    if (!result) result = fum_autoencoder_draw(pipe, f, z, pixels, err);
    fum_free(z);
    return result;
}

enum fum_result fum_autoencoder_encode_file(fum_pipeline *pipe, const char *path,
                                            const struct fum_latent_form *f, float *z,
                                            struct fum_error *err) {
    struct fum_bitmap bitmap = {0};
    float *planes = NULL;
    enum fum_result result =
        fum_image_read(path, fum_autoencoder_channels(pipe), &bitmap, NULL, err);
    if (!result && (bitmap.width != f->picture_width || bitmap.height != f->picture_height))
        result = fum_error_set(err, FUM_ERR_ARG, "%s: is %d × %d pixels; expected %d × %d", path,
                               bitmap.width, bitmap.height, f->picture_width, f->picture_height);
    if (result) goto done;
    size_t pixels = (size_t)bitmap.width * (size_t)bitmap.height,
           channels = (size_t)bitmap.channels;
    planes = fum_alloc(pixels * channels, sizeof *planes);
    if (!planes) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
        goto done;
    }
    for (size_t i = 0; i < pixels * channels; i++)
        planes[i % channels * pixels + i / channels] = (float)bitmap.pixels[i] / 255;
    result = fum_autoencoder_encode_planes(pipe, f, planes, z, err);
done:
    fum_free(planes);
    fum_bitmap_free(&bitmap);
    return result;
}
