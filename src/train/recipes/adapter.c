// SPDX-License-Identifier: MIT
// Adds and saves adapters of low rank (Hu et al. 2021).
#include "train/recipes/lora.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "graph/graph.h"

enum { MAX_NAME = FUM_TRAIN_NAME, MAX_RANK = 4096 };

FUM_SETTING_NAMES(target_name, "attention", "all-linear")

void fum_lora_read(struct fum_settings *s, struct fum_lora *lora, int least) {
    lora->rank = (int)fum_settings_int(s, "lora.rank", least, MAX_RANK);
    lora->alpha = fum_settings_real(s, "lora.alpha", 0, 1e6);
    if (lora->alpha == 0)
        lora->alpha = lora->rank; // as kohya's scripts and readers of files take it
    lora->all_linear = fum_settings_choice(s, "lora.targets", target_name) == 1;
    lora->text_encoder = fum_settings_bool(s, "lora.text_encoder");
}

bool fum_lora_owns(const char *name) {
    return !strncmp(name, "lora_", 5);
}

bool fum_lora_is_alpha(const char *name) {
    return fum_lora_owns(name) && fum_text_ends_with(name, ".alpha");
}

void fum_lora_initialise(const struct fum_training *t, const char *name,
                         struct fum_initial *initial) {
    (void)t;
    if (fum_text_ends_with(name, ".lora_up.weight"))
        *initial = (struct fum_initial){FUM_INITIAL_CONSTANT, 0, NULL};
}

// ---- targets ----

static bool ends_with_any(const char *name, const char *const *ends) {
    for (; *ends; ends++)
        if (fum_text_ends_with(name, *ends)) return true;
    return false;
}

// True if the file holds the layer as a linear one, not as a 1×1 convolution.
static bool is_linear(struct fum_training *t, const char *name) {
    const struct fum_weight_source source = fum_train_model_source(t);
    char weight[MAX_NAME];
    struct fum_view view;
    snprintf(weight, sizeof weight, "%s.weight", name);
    return source.find(source.user, weight, &view) && view.rank == 2;
}

static bool is_target(struct fum_training *t, const struct fum_lora *lora, const char *name) {
    static const char *const of_unet[] = {".to_q", ".to_k", ".to_v", ".to_out.0", NULL};
    static const char *const of_text[] = {".q_proj", ".k_proj", ".v_proj", ".out_proj", NULL};
    static const char *const of_mlp[] = {".mlp.fc1", ".mlp.fc2", NULL};
    if (!strncmp(name, "unet.", 5))
        return lora->all_linear ? is_linear(t, name) : ends_with_any(name, of_unet);
    if (strncmp(name, "text_encoder", 12) || !lora->text_encoder) return false;
    return ends_with_any(name, of_text) || (lora->all_linear && ends_with_any(name, of_mlp));
}

// Writes kohya's name of a layer. A model with two text encoders numbers them.
static void write_kohya_name(const struct fum_training *t, const char *name, char text[MAX_NAME]) {
    bool several = fum_model_get_view(t->model)->num_text > 1;
    const char *dot = strchr(name, '.'), *head = several ? "lora_te1" : "lora_te";
    if (!strncmp(name, "unet.", 5)) head = "lora_unet";
    if (!strncmp(name, "text_encoder_2.", 15)) head = "lora_te2";
    snprintf(text, MAX_NAME, "%s%s", head, dot);
    for (char *at = text; *at; at++)
        if (*at == '.') *at = '_';
}

// ---- the layers ----

// One of the two products of an adapter.
struct product {
    const char *layer, *part; // names
    int64_t out;
    double scale;
};

static fum_tensor *add_product(fum_graph *graph, const struct product *p, fum_tensor *x) {
    char name[MAX_NAME + 32];
    struct fum_shape shape = fum_tensor_shape(x);
    const struct fum_attr attrs[] = {{"scale", p->scale}, {0}};
    if (!x) return NULL;
    snprintf(name, sizeof name, "%s.%s.weight", p->layer, p->part);
    fum_tensor *weight = fum_graph_weight(
        graph, name, (struct fum_shape){2, {shape.dim[shape.rank - 1], p->out}}, FUM_PACK_LINEAR);
    return weight ? fum_graph_add(graph, "matmul", NULL, FUM_INPUTS(x, weight), attrs) : NULL;
}

fum_tensor *fum_lora_adapt(struct fum_training *t, const struct fum_lora *lora,
                           const struct fum_graph_layer *layer) {
    char name[MAX_NAME];
    struct fum_nn nn;
    if (!lora->rank || !is_target(t, lora, layer->name)) return layer->y;
    fum_nn_init(&nn, t->now->graph, NULL);
    write_kohya_name(t, layer->name, name);
    const struct product down = {name, "lora_down", lora->rank, 1},
                         up = {name, "lora_up", fum_nn_channels(layer->y),
                               lora->alpha / lora->rank};
    fum_tensor *h = add_product(t->now->graph, &down, layer->x);
    return fum_nn_add(&nn, NULL, layer->y, add_product(t->now->graph, &up, h));
}

// ---- the file ----

// Returns what kohya's scripts call the kind of the model.
static const char *base_version(const struct fum_model_view *v) {
    if (v->unet.text_time) return "sdxl_base_v1-0";
    if (v->unet.context_channels < 1024) return "sd_v1";
    return v->schedule.prediction_type == FUM_PREDICT_V ? "sd_v2_v" : "sd_v2";
}

// Lists alpha for each adapter. Returns their number.
static size_t list_alphas(struct fum_training *t, const float *alpha,
                          struct fum_safetensors_tensor *list) {
    static const char down[] = ".lora_down.weight";
    size_t count = 0;
    for (int i = 0; i < t->now->num_trained; i++) {
        char text[FUM_TRAIN_NAME];
        const char *name = fum_lora_file_name(fum_tensor_name(t->now->network[i]), text);
        if (!fum_text_ends_with(name, down)) continue;
        int length = (int)(strlen(name) - strlen(down));
        list[count].name = fum_arena_printf(t->arena, "%.*s.alpha", length, name);
        if (list[count].name)
            list[count++].view = (struct fum_view){.dtype = FUM_F32, .rank = 0, .data = alpha};
    }
    return count;
}

enum fum_result fum_lora_save(struct fum_training *t, const struct fum_lora *lora, const char *dir,
                              struct fum_error *err) {
    const float value = (float)lora->alpha;
    char rank[FUM_NUMBER_BYTES], alpha[FUM_NUMBER_BYTES];
    const struct fum_safetensors_text texts[] = {
        {"format", "pt"},
        {"ss_network_module", "networks.lora"},
        {"ss_network_dim", fum_number_format(rank, 9, lora->rank)},
        {"ss_network_alpha", fum_number_format(alpha, 9, lora->alpha)},
        {"ss_base_model_version", base_version(fum_model_get_view(t->model))},
    };
    char *path = fum_path_join(t->arena, dir, "lora.safetensors");
    struct fum_safetensors_tensor *alphas =
        fum_arena_alloc(t->arena, (size_t)t->now->num_trained + 1, sizeof *alphas);
    if (!path || !alphas) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a LoRA");
    const struct fum_train_file file = {.path = path,
                                        .prefix = "lora_",
                                        .whole_names = true,
                                        .rename = fum_lora_file_name,
                                        .more = alphas,
                                        .num_more = list_alphas(t, &value, alphas),
                                        .texts = texts,
                                        .num_texts = FUM_COUNT(texts)};
    enum fum_result result = fum_path_make_dirs(dir, err);
    return result ? result : fum_train_save_file(t, &file, err);
}
