// SPDX-License-Identifier: MIT
#include "config_change.h"

#include <string.h>

static const double numbers[] = {0,
                                 1,
                                 2,
                                 3,
                                 4,
                                 5,
                                 6,
                                 7,
                                 8,
                                 9,
                                 12,
                                 16,
                                 24,
                                 32,
                                 64,
                                 77,
                                 0.5,
                                 1e-6,
                                 0.18215,
                                 -1,
                                 -8,
                                 65,
                                 128,
                                 255,
                                 1000,
                                 65536,
                                 16777217,
                                 2147483647,
                                 4294967296.0,
                                 1e18,
                                 1e300,
                                 -1e300};

static const char *const keys[] = {"act_fn",
                                   "addition_embed_type",
                                   "addition_time_embed_dim",
                                   "attention_head_dim",
                                   "attention_type",
                                   "beta_end",
                                   "beta_schedule",
                                   "beta_start",
                                   "block_out_channels",
                                   "center_input_sample",
                                   "class_embed_type",
                                   "clip_sample",
                                   "conv_in_kernel",
                                   "conv_out_kernel",
                                   "cross_attention_dim",
                                   "down_block_types",
                                   "downsample_padding",
                                   "dual_cross_attention",
                                   "encoder_hid_dim",
                                   "encoder_hid_dim_type",
                                   "eos_token_id",
                                   "final_sigmas_type",
                                   "flip_sin_to_cos",
                                   "force_zeros_for_empty_prompt",
                                   "freq_shift",
                                   "guidance",
                                   "hidden_act",
                                   "hidden_size",
                                   "in_channels",
                                   "intermediate_size",
                                   "latent_channels",
                                   "latents_mean",
                                   "latents_std",
                                   "layer_norm_eps",
                                   "layers_per_block",
                                   "max_position_embeddings",
                                   "mid_block_add_attention",
                                   "mid_block_scale_factor",
                                   "mid_block_type",
                                   "norm_eps",
                                   "norm_num_groups",
                                   "num_attention_heads",
                                   "num_class_embeds",
                                   "num_hidden_layers",
                                   "num_train_timesteps",
                                   "only_cross_attention",
                                   "original_inference_steps",
                                   "out_channels",
                                   "prediction_type",
                                   "projection_class_embeddings_input_dim",
                                   "projection_dim",
                                   "rescale_betas_zero_snr",
                                   "resnet_time_scale_shift",
                                   "reverse_transformer_layers_per_block",
                                   "sample_size",
                                   "scaling_factor",
                                   "set_alpha_to_one",
                                   "shift_factor",
                                   "sigma_max",
                                   "sigma_min",
                                   "skip_prk_steps",
                                   "solver_order",
                                   "steps_offset",
                                   "time_cond_proj_dim",
                                   "time_embedding_dim",
                                   "timestep_spacing",
                                   "timestep_type",
                                   "timestep_scaling",
                                   "trained_betas",
                                   "transformer_layers_per_block",
                                   "up_block_types",
                                   "use_beta_sigmas",
                                   "use_exponential_sigmas",
                                   "use_karras_sigmas",
                                   "use_linear_projection",
                                   "use_post_quant_conv",
                                   "use_quant_conv",
                                   "vocab_size",
                                   "_class_name",
                                   "architectures",
                                   "width",
                                   "height",
                                   "steps",
                                   "clip_skip",
                                   "sampler",
                                   "prompts",
                                   "text_encoder_2",
                                   "safety_checker"};

static const char *const strings[] = {"",
                                      "CLIPTextModel",
                                      "CLIPTextModelWithProjection",
                                      "CrossAttnDownBlock2D",
                                      "CrossAttnUpBlock2D",
                                      "DownBlock2D",
                                      "DownEncoderBlock2D",
                                      "UNetMidBlock2D",
                                      "UNetMidBlock2DCrossAttn",
                                      "UpBlock2D",
                                      "UpDecoderBlock2D",
                                      "default",
                                      "epsilon",
                                      "gelu",
                                      "gelu_new",
                                      "quick_gelu",
                                      "identity",
                                      "leading",
                                      "linspace",
                                      "trailing",
                                      "linear",
                                      "positional",
                                      "projection",
                                      "sample",
                                      "scale_shift",
                                      "scaled_linear",
                                      "simple_projection",
                                      "squaredcos_cap_v2",
                                      "silu",
                                      "text_time",
                                      "timestep",
                                      "v_prediction",
                                      "zero",
                                      "sigma_min",
                                      "StableDiffusionPipeline",
                                      "StableDiffusionXLPipeline",
                                      "LatentConsistencyModelPipeline",
                                      "DDIMScheduler",
                                      "PNDMScheduler",
                                      "LCMScheduler",
                                      "EulerDiscreteScheduler",
                                      "EulerAncestralDiscreteScheduler",
                                      "DPMSolverMultistepScheduler",
                                      "UniPCMultistepScheduler",
                                      "HeunDiscreteScheduler",
                                      "KDPM2AncestralDiscreteScheduler",
                                      "DPMSolverSDEScheduler",
                                      "LMSDiscreteScheduler",
                                      "EDMEulerScheduler",
                                      "EDMDPMSolverMultistepScheduler",
                                      "DDPMScheduler",
                                      "lcm",
                                      "euler",
                                      "diffusers",
                                      "a\nb",
                                      "\x1b[31m"};

#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof *(list)))

static cJSON *make_value(struct choices *c) {
    cJSON *list;
    switch (choose(c, 8)) {
    case 0: return cJSON_CreateNumber(numbers[choose(c, 16)]);
    case 1: return cJSON_CreateNumber(numbers[choose(c, COUNT(numbers))]);
    case 2: return cJSON_CreateString(strings[choose(c, COUNT(strings))]);
    case 3: return cJSON_CreateTrue();
    case 4: return cJSON_CreateFalse();
    case 5: return cJSON_CreateNull();
    case 6: return cJSON_CreateObject();
    default:
        list = cJSON_CreateArray();
        for (uint32_t n = choose(c, 5); n; n--)
            cJSON_AddItemToArray(list, cJSON_CreateNumber(numbers[choose(c, 16)]));
        return list;
    }
}

static uint32_t count_items(const cJSON *item) {
    uint32_t n = 1;
    for (const cJSON *child = item->child; child; child = child->next) n += count_items(child);
    return n;
}

// Finds the index-th item in the order of the text, and what it lies in.
static cJSON *find_item(cJSON *item, uint32_t *index, cJSON **parent) {
    for (cJSON *child = item->child; child; child = child->next) {
        *parent = item;
        if (!(*index)--) return child;
        cJSON *found = find_item(child, index, parent);
        if (found) return found;
    }
    return NULL;
}

static void replace(cJSON *parent, cJSON *item, cJSON *value) {
    if (!cJSON_IsArray(parent)) {
        cJSON_ReplaceItemInObjectCaseSensitive(parent, item->string, value);
        return;
    }
    cJSON_ReplaceItemViaPointer(parent, item, value);
}

static void change_number(cJSON *item, struct choices *c) {
    double x = item->valuedouble;
    double changed[] = {
        2 * x, x / 2, x + 1, x - 1, -x, numbers[choose(c, 16)], numbers[choose(c, COUNT(numbers))]};
    cJSON_SetNumberValue(item, changed[choose(c, COUNT(changed))]);
}

// Makes a list longer or shorter by its last entry.
static void change_length(cJSON *list, struct choices *c) {
    int n = cJSON_GetArraySize(list);
    if (n && one_in(c, 2))
        cJSON_DeleteItemFromArray(list, n - 1);
    else
        cJSON_AddItemToArray(list, n ? cJSON_Duplicate(cJSON_GetArrayItem(list, n - 1), true)
                                     : make_value(c));
}

void config_change(cJSON *document, struct choices *c) {
    cJSON *parent = document;
    uint32_t kind = choose(c, 8), count = count_items(document), index = choose(c, count);
    cJSON *item = find_item(document, &index, &parent);
    if (!kind) return; // where the input has ended
    if (kind == 1 || !item) {
        const char *key = keys[choose(c, COUNT(keys))];
        cJSON_DeleteItemFromObjectCaseSensitive(document, key);
        if (cJSON_IsObject(document)) cJSON_AddItemToObject(document, key, make_value(c));
        return;
    }
    if (kind == 2)
        cJSON_Delete(cJSON_DetachItemViaPointer(parent, item));
    else if (kind == 3)
        replace(parent, item, make_value(c));
    else if (cJSON_IsNumber(item))
        change_number(item, c);
    else if (cJSON_IsArray(item))
        change_length(item, c);
    else if (cJSON_IsString(item))
        replace(parent, item, cJSON_CreateString(strings[choose(c, COUNT(strings))]));
    else
        replace(parent, item, make_value(c));
}
