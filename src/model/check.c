// SPDX-License-Identifier: MIT
// Checks every tensor of a model: builds its graphs and looks up every weight.
#include "base/error.h"
#include "base/text.h"
#include "graph/graph.h"
#include "model/components.h"
#include "weights/packing.h"

#include <string.h>

typedef void (*problem_fn)(void *user, enum fum_model_problem problem, const char *component,
                           const char *tensor, const char *detail);

// The largest number of doublings between latents and the UNet's middle, so that any UNet fits this
// small picture.
enum { CHECK_SIDE = 128, CHECK_TOKENS = 1 };

static fum_tensor *input(fum_graph *g, const char *name, int64_t channels) {
    return fum_graph_input(g, name, (struct fum_shape){4, {1, CHECK_SIDE, CHECK_SIDE, channels}},
                           FUM_F32, FUM_STAGE_STEP);
}

static void build_unet(fum_graph *g, const struct fum_model_view *v) {
    struct fum_unet_params p = {.x = input(g, "x", v->unet.in_channels),
                                .counter = fum_graph_state(g, "counter", (struct fum_shape){1, {1}},
                                                           FUM_I32, FUM_STAGE_STEP)};
    struct fum_unet_sizes sizes = {
        .batch = 1, .steps = 1, .tokens = CHECK_TOKENS, .pooled = fum_model_pooled(v)};
    fum_unet_inputs(g, &v->unet, &sizes, &p);
    fum_unet_build(g, &v->unet, &p);
}

static void build_vae(fum_graph *g, const struct fum_model_view *v) {
    struct fum_vae_moments moments;
    fum_vae_decode(g, &v->vae, NULL, input(g, "z", v->vae.latent_channels));
    if (v->vae.decoder_only) return;
    fum_vae_encode(g, &v->vae, NULL, input(g, "pixels", v->vae.in_channels), &moments);
}

// Adds the network of a variational autoencoder with both chains, if it has such.
static void build_autoencoder(fum_graph *g, const struct fum_autoencoder *a) {
    struct fum_nn nn;
    fum_nn_init(&nn, g, NULL);
    fum_tensor *x = fum_graph_input(g, "x", fum_autoencoder_shape(a, 1), FUM_F32, FUM_STAGE_STEP);
    struct fum_posterior q = {x, x};
    if (!a->chain) q = fum_autoencoder_encode(&nn, a, x);
    for (int t = 1; t <= a->levels && a->chain; t++) {
        q = fum_autoencoder_link(&nn, a, "q", t, q.mean);
        if (t > 1) fum_autoencoder_link(&nn, a, "p", t - 1, q.mean);
    }
    fum_autoencoder_decode(
        &nn, a,
        fum_graph_input(g, "z", (struct fum_shape){2, {1, a->latent[0]}}, FUM_F32, FUM_STAGE_STEP));
    if (a->classes)
        fum_autoencoder_class_means(
            &nn, a,
            fum_graph_input(g, "label", (struct fum_shape){1, {1}}, FUM_I32, FUM_STAGE_STEP));
}

static void build_vqvae(fum_graph *g, const struct fum_vq_config *vq) {
    fum_vq_encode(g, vq, NULL, input(g, "pixels", vq->vae.in_channels));
    fum_vq_codebook(g, vq, NULL);
    fum_vq_decode(g, vq, NULL, input(g, "vectors", vq->vae.code_channels));
}

static void build_text(fum_graph *g, const struct fum_model_text *text) {
    struct fum_clip_outputs out;
    struct fum_clip_params p = {
        .ids = fum_graph_input(g, "ids", (struct fum_shape){2, {1, text->config.positions}},
                               FUM_I32, FUM_STAGE_PROMPT),
        .ends =
            fum_graph_input(g, "ends", (struct fum_shape){2, {1, 1}}, FUM_I32, FUM_STAGE_PROMPT)};
    struct fum_clip_config config = text->config;
    config.vocab -= text->new_rows; // the file has none of these
    fum_clip_build(g, &config, &p, &out);
}

void fum_model_build_component(fum_graph *g, const fum_model *model, const char *name) {
    const struct fum_model_view *v = &model->view;
    const struct fum_model_component *component = fum_model_find_component(model, name);
    if (component && !component->names)
        return; // only listed: nothing is known of its configuration
    if (!strcmp(name, "unet"))
        build_unet(g, v);
    else if (!strcmp(name, "vae"))
        build_vae(g, v);
    else if (v->autoencoder)
        build_autoencoder(g, v->autoencoder);
    else if (v->vqvae)
        build_vqvae(g, v->vqvae);
    for (int i = 0; i < v->num_text; i++)
        if (!strcmp(name, v->text[i].component)) build_text(g, &v->text[i]);
}

// One component's check.
struct check {
    const struct fum_model_component *component;
    problem_fn fn;
    void *user;
    bool *used; // tensors of the file that the graph uses
    int bad;    // tensors that are missing or misshapen
};

// Checks that the file has the weight in a shape and type that can be read; marks its tensor as
// used.
static void check_weight(struct check *check, const struct fum_weight *weight) {
    const struct fum_model_component *component = check->component;
    char text[256];
    struct fum_why why = {""};
    struct fum_view view;
    size_t index;
    bool found = fum_names_find(component->names, weight->name, &view, &index);
    if (found) check->used[index] = true;
    if (found && view.dtype == FUM_DTYPE_UNKNOWN)
        fum_refuse(&why, "is stored as %s, which fumarole does not read",
                   fum_text_show(fum_loader_at(component->loader, index)->type).text);
    else if (found && fum_packing_check(weight, &view, &why))
        return;
    check->bad++;
    check->fn(check->user, found ? FUM_MODEL_MISSHAPEN : FUM_MODEL_MISSING, component->name,
              fum_names_in_file(component->names, weight->name, text, sizeof text), why.text);
}

// Checks every weight of the graph, and that the graph uses every tensor of the component.
static void check_tensors(struct check *check, const fum_graph *g) {
    const struct fum_model_component *component = check->component;
    for (int i = 0; i < g->count; i++) {
        const fum_tensor *t = g->tensors[i];
        if (t->kind != FUM_TENSOR_WEIGHT) continue;
        const struct fum_weight weight = fum_tensor_weight(t);
        for (int k = 0; k < fum_weight_parts(&weight); k++) {
            const struct fum_weight one = fum_weight_part(&weight, k);
            check_weight(check, &one);
        }
    }
    for (size_t i = 0; i < fum_loader_count(component->loader); i++) {
        const char *name = fum_loader_at(component->loader, i)->name;
        if (!check->used[i] && fum_names_owns(component->names, i) && !fum_names_ignorable(name))
            check->fn(check->user, FUM_MODEL_UNMATCHED, component->name, name, "");
    }
}

static enum fum_result check_component(struct check *check, const fum_model *model,
                                       struct fum_error *err) {
    const struct fum_model_component *component = check->component;
    struct fum_error built = {0};
    fum_graph *g = NULL;
    check->used = fum_calloc(fum_loader_count(component->loader), sizeof *check->used);
    enum fum_result result =
        check->used ? fum_graph_create(&g, FUM_F32, err)
                    : fum_error_set(err, FUM_ERR_NOMEM, "no memory to check %s", component->name);
    if (!result) fum_model_build_component(g, model, component->name);
    // The graph's wrong arguments are the configuration's wrong numbers.
    if (!result && fum_graph_check(g, &built))
        result = fum_error_set(err, built.code == FUM_ERR_ARG ? FUM_ERR_FORMAT : built.code,
                               "%s: %s", component->where, built.text);
    if (!result) check_tensors(check, g);
    fum_graph_destroy(&g);
    fum_free(check->used);
    return result;
}

// Reports the tensors of a single file that belong to no component.
static void report_strays(const fum_model *model, problem_fn fn, void *user) {
    bool known = model->file && model->num_components && model->components[0].names;
    for (size_t i = 0; known && i < fum_loader_count(model->file); i++) {
        const char *name = fum_loader_at(model->file, i)->name;
        bool owned = fum_names_ignorable(name);
        for (int p = 0; p < model->num_components && !owned; p++)
            owned = model->components[p].loader == model->file &&
                    fum_names_owns(model->components[p].names, i);
        for (int p = 0; p < model->num_replaced && !owned; p++)
            owned = model->replaced[p].loader == model->file &&
                    fum_names_owns(model->replaced[p].names, i);
        if (!owned) fn(user, FUM_MODEL_UNMATCHED, "file", name, "");
    }
}

static void ignore(void *user, enum fum_model_problem problem, const char *component,
                   const char *tensor, const char *detail) {
    (void)user, (void)problem, (void)component, (void)tensor, (void)detail;
}

enum fum_result fum_model_check(const fum_model *model, problem_fn fn, void *user,
                                struct fum_error *err) {
    int bad = 0;
    for (int i = 0; i < model->num_components; i++) {
        if (!model->components[i].names) continue; // only listed
        struct check check = {
            .component = &model->components[i], .fn = fn ? fn : ignore, .user = user};
        enum fum_result result = check_component(&check, model, err);
        if (result) return result;
        bad += check.bad;
    }
    report_strays(model, fn ? fn : ignore, user);
    if (!bad && model->info.unusable)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s", model->info.unusable);
    if (!bad) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: %d tensor%s missing or of another shape",
                         model->info.path, bad, bad == 1 ? " is" : "s are");
}
