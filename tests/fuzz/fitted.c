// SPDX-License-Identifier: MIT
#define _XOPEN_SOURCE 700 // mkdtemp
#include "fitted.h"

#include "base/json.h"
#include "config_change.h"
#include "fitted_parts.h"
#include "graph/graph.h"
#include "model/components.h"
#include "model/random_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- the configurations that changes start from ----

enum document { INDEX, UNET, VAE, TEXT, TEXT_2, SCHEDULER, SETTINGS, DOCUMENTS };

static const char *const document_files[DOCUMENTS] = {"model_index.json",
                                                      "unet/config.json",
                                                      "vae/config.json",
                                                      "text_encoder/config.json",
                                                      "text_encoder_2/config.json",
                                                      "scheduler/scheduler_config.json",
                                                      "fumarole.json"};

static const char *const folders[] = {"unet",      "vae",       "text_encoder", "text_encoder_2",
                                      "scheduler", "tokenizer", "tokenizer_2"};

#define INDEX_PARTS                                                                               \
    "\"unet\": [\"diffusers\", \"UNet2DConditionModel\"], \"vae\": [\"diffusers\", "              \
    "\"AutoencoderKL\"], "                                                                        \
    "\"text_encoder\": [\"transformers\", \"CLIPTextModel\"], \"tokenizer\": [\"transformers\", " \
    "\"CLIPTokenizer\"], "                                                                        \
    "\"scheduler\": [\"diffusers\", \"PNDMScheduler\"]"
#define UNET_COMMON                                                                          \
    "\"block_out_channels\": [8, 16], \"down_block_types\": [\"CrossAttnDownBlock2D\", "     \
    "\"DownBlock2D\"], "                                                                     \
    "\"up_block_types\": [\"UpBlock2D\", \"CrossAttnUpBlock2D\"], \"layers_per_block\": 1, " \
    "\"attention_head_dim\": 2, "                                                            \
    "\"norm_num_groups\": 4, \"in_channels\": 4, \"out_channels\": 4, \"sample_size\": 4"
#define VAE_COMMON                                                                                \
    "{\"block_out_channels\": [4, 8], \"down_block_types\": [\"DownEncoderBlock2D\", "            \
    "\"DownEncoderBlock2D\"], "                                                                   \
    "\"up_block_types\": [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"], \"layers_per_block\": 1, " \
    "\"norm_num_groups\": 2, "                                                                    \
    "\"latent_channels\": 4, \"in_channels\": 3, \"out_channels\": 3, \"scaling_factor\": "       \
    "0.18215}"
#define TEXT_COMMON                                                                                \
    "\"vocab_size\": 8, \"hidden_size\": 8, \"intermediate_size\": 16, \"num_hidden_layers\": 2, " \
    "\"num_attention_heads\": 2, \"max_position_embeddings\": 7"
#define SCHEDULER_COMMON                                                                    \
    "{\"_class_name\": \"PNDMScheduler\", \"num_train_timesteps\": 1000, \"beta_start\": "  \
    "0.00085, "                                                                             \
    "\"beta_end\": 0.012, "                                                                 \
    "\"beta_schedule\": \"scaled_linear\", \"skip_prk_steps\": true, \"steps_offset\": 1, " \
    "\"clip_sample\": "                                                                     \
    "false}"
#define SETTINGS_COMMON                                                                        \
    "{\"name\": \"fuzz\", \"defaults\": {\"steps\": 2, \"guidance\": 2.5}, \"prompts\": [\"a " \
    "ship\", \"a "                                                                             \
    "sea\"]}"

static const char *const bases[][DOCUMENTS] = {
    {"{\"_class_name\": \"StableDiffusionPipeline\", " INDEX_PARTS "}",
     "{" UNET_COMMON ", \"cross_attention_dim\": 8}", VAE_COMMON,
     "{" TEXT_COMMON ", \"hidden_act\": \"quick_gelu\"}", NULL, SCHEDULER_COMMON, SETTINGS_COMMON},
    {"{\"_class_name\": \"StableDiffusionPipeline\", " INDEX_PARTS "}",
     "{" UNET_COMMON
     ", \"cross_attention_dim\": 8, \"use_linear_projection\": true, \"time_cond_proj_dim\": 4}",
     VAE_COMMON, "{" TEXT_COMMON ", \"hidden_act\": \"gelu\"}", NULL, SCHEDULER_COMMON,
     SETTINGS_COMMON},
    {"{\"_class_name\": \"StableDiffusionXLPipeline\", " INDEX_PARTS
     ", \"text_encoder_2\": [\"transformers\", \"CLIPTextModelWithProjection\"], "
     "\"tokenizer_2\": [\"transformers\", \"CLIPTokenizer\"]}",
     "{" UNET_COMMON
     ", \"cross_attention_dim\": 16, \"use_linear_projection\": true, \"addition_embed_type\": "
     "\"text_time\", \"addition_time_embed_dim\": 4, \"projection_class_embeddings_input_dim\": "
     "32}",
     VAE_COMMON, "{" TEXT_COMMON "}", "{" TEXT_COMMON ", \"projection_dim\": 8}", SCHEDULER_COMMON,
     SETTINGS_COMMON},
};

// ---- files ----

char fitted_root[200];

struct fitted_counts fitted_counts;

static void end(void) {
    char path[512];
    if (fitted_counts.made)
        fprintf(stderr, "%lu models, %lu opened, %lu worked to the end\n", fitted_counts.made,
                fitted_counts.opened, fitted_counts.done);
    for (int i = 0; i < DOCUMENTS; i++) {
        snprintf(path, sizeof path, "%s/%s", fitted_root, document_files[i]);
        remove(path);
    }
    static const char *const others[] = {"unet/model.safetensors",
                                         "vae/model.safetensors",
                                         "tokenizer/vocab.json",
                                         "text_encoder/model.safetensors",
                                         "text_encoder_2/model.safetensors",
                                         "tokenizer/merges.txt",
                                         "tokenizer_2/vocab.json",
                                         "tokenizer_2/merges.txt",
                                         "single.safetensors",
                                         "clip.txt",
                                         "unet/one.safetensors",
                                         "unet/two.safetensors",
                                         "unet/model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(path, sizeof path, "%s/%s", fitted_root, others[i]);
        remove(path);
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", fitted_root, folders[i]);
        rmdir(path);
    }
    rmdir(fitted_root);
}

void fitted_fail(const char *what) {
    fprintf(stderr, "fuzzing: %s: %s\n", what, strerror(errno));
    abort();
}

static void write_text(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fitted_root, name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file)) fitted_fail(path);
}

static void make_root(void) {
    static const char vocab[] =
        "{\"<|startoftext|>\": 0, \"<|endoftext|>\": 1, \"a</w>\": 2, \"s\": 3, \"h\": 4}";
    char path[512];
    if (fitted_root[0]) return;
    snprintf(fitted_root, sizeof fitted_root, "%s/fumarole-fuzz-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(fitted_root)) fitted_fail(fitted_root);
    atexit(end);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", fitted_root, folders[i]);
        if (mkdir(path, 0700)) fitted_fail(path);
    }
    write_text("tokenizer/vocab.json", vocab);
    write_text("tokenizer/merges.txt", "#version: 0.2\n");
    write_text("tokenizer_2/vocab.json", vocab);
    write_text("tokenizer_2/merges.txt", "#version: 0.2\n");
}

const char *fitted_folder(void) {
    make_root();
    return fitted_root;
}

// ---- folders ----

static void write_configs(const char *const base[DOCUMENTS], struct choices *c) {
    cJSON *documents[DOCUMENTS];
    for (int i = 0; i < DOCUMENTS; i++) documents[i] = base[i] ? cJSON_Parse(base[i]) : NULL;
    for (uint32_t n = choose(c, 8); n; n--) {
        // UNet and VAE hold most of what a graph depends on.
        static const enum document order[] = {UNET,      VAE,  TEXT, UNET,     TEXT_2,
                                              SCHEDULER, UNET, VAE,  SETTINGS, INDEX};
        cJSON *document = documents[order[choose(c, sizeof order / sizeof *order)]];
        if (document) config_change(document, c);
    }
    for (int i = 0; i < DOCUMENTS; i++) {
        char *text = documents[i] ? cJSON_PrintUnformatted(documents[i]) : NULL;
        if (base[i] && !text) fitted_fail("writing JSON");
        write_text(document_files[i], text ? text : "{}");
        cJSON_free(text);
        cJSON_Delete(documents[i]);
    }
}

// One tensor of every part, by which a reader recognises it.
static void write_signs(void) {
    static const struct {
        const char *part, *tensor;
    } signs[] = {{"unet", "conv_in.weight"},
                 {"vae", "decoder.mid_block.resnets.0.conv1.weight"},
                 {"text_encoder", "text_model.final_layer_norm.weight"},
                 {"text_encoder_2", "text_model.final_layer_norm.weight"}};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        struct fitted_file file = {0};
        fitted_add(&file, signs[i].tensor,
                   &(struct fum_view){.dtype = FUM_F32, .rank = 1, .dim = {1}});
        fitted_save(&file, signs[i].part, &(struct fitted_params){.max_bytes = 1024});
    }
}

// Writes the weights that the part's graph uses. False if they are too large.
static bool write_weights(const fum_model *model, const char *part, struct choices *c,
                          const struct fitted_params *params) {
    static const enum fum_dtype types[] = {FUM_F32, FUM_F32, FUM_F16, FUM_BF16};
    enum fum_dtype dtype = types[choose(c, 4)];
    uint32_t skip = one_in(c, 16) ? choose(c, 256) : UINT32_MAX,
             odd = one_in(c, 16) ? choose(c, 256) : UINT32_MAX;
    struct fitted_file file = {0};
    struct fum_error err = {0};
    fum_graph *graph = NULL;
    if (fum_graph_create(&graph, FUM_F32, &err)) fitted_fail(err.text);
    fum_model_build_component(graph, model, part);
    for (uint32_t i = 0, n = 0; i < (uint32_t)graph->count; i++) {
        if (graph->tensors[i]->kind != FUM_TENSOR_WEIGHT) continue;
        const struct fum_weight whole = fum_tensor_weight(graph->tensors[i]);
        for (int k = 0; k < fum_weight_parts(&whole); k++) {
            const struct fum_weight weight = fum_weight_part(&whole, k);
            struct fum_view view = fum_random_model_view(&weight);
            view.dtype = dtype;
            if (n == odd && view.rank) view.dim[choose(c, (uint32_t)view.rank)] += 1;
            if (n++ != skip) fitted_add(&file, weight.name, &view);
        }
    }
    fum_graph_destroy(&graph);
    return fitted_save(&file, part, params);
}

static const char *write_folder(struct choices *c, const struct fitted_params *params) {
    fum_model *model = NULL;
    struct fum_error err = {0};
    bool fits = true;
    write_configs(bases[choose(c, sizeof bases / sizeof *bases)], c);
    write_signs();
    enum fum_result result =
        fum_model_open(&model, &(struct fum_model_params){.path = fitted_root}, &err);
    fitted_expect_model(result, &err);
    if (result) return fitted_root; // which says so again
    struct fum_component_info component;
    // components without a configuration that was read
    bool listed = fum_model_get_info(model)->unusable != NULL;
    for (int i = 0; fits && !listed && fum_model_get_component(model, i, &component); i++)
        fits = write_weights(model, component.name, c, params);
    fum_model_destroy(&model);
    return fits ? fitted_root : NULL;
}

// Returns the path of the model, valid until the next call, or NULL if it is too large.
static const char *write_model(struct choices *c, const struct fitted_params *params) {
    make_root();
    fitted_counts.made++;
    return one_in(c, 16) ? fitted_write_file(c, params) : write_folder(c, params);
}

fum_model *fitted_open(struct choices *c, const struct fitted_params *params) {
    const char *path = write_model(c, params);
    fum_model *model = NULL;
    struct fum_error err = {0};
    if (!path) return NULL;
    enum fum_result result = fum_model_open(&model, &(struct fum_model_params){.path = path}, &err);
    fitted_expect_model(result, &err);
    fitted_counts.opened += !result;
    return model;
}

void fitted_give_picture(const fum_model *model, struct fum_generate_params *params) {
    // a BMP of one white pixel
    static const char white[] = "BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\1\0\0\0\1\0\0\0\1\0\x18\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff";
    const struct fum_image_source picture = {.data = white, .bytes = sizeof white};
    const struct fum_model_view *view = fum_model_get_view(model);
    int beside = view->unet.in_channels - view->vae.latent_channels;
    if (beside > 0) params->init_image = picture;
    if (beside == view->vae.latent_channels + 1) params->mask = picture;
}

void fitted_expect(enum fum_result result, const struct fum_error *err) {
    if (!result) return;
    if (getenv("FUZZ_SHOW")) fprintf(stderr, "%d: %s\n", (int)result, err->text);
    bool one_line = err->text[0] && !strchr(err->text, '\n');
    if (err->code == result && one_line) return;
    fprintf(stderr, "fuzzing: result %d, code %d, text \"%s\"\n", (int)result, (int)err->code,
            err->text);
    abort();
}

void fitted_expect_model(enum fum_result result, const struct fum_error *err) {
    fitted_expect(result, err);
    if (result != FUM_ERR_ARG) return;
    fprintf(stderr, "fuzzing: a fault of the model is reported as a wrong argument: %s\n",
            err->text);
    abort();
}
