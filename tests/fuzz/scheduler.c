// SPDX-License-Identifier: MIT
// libFuzzer target of scheduler_config.json with every sampler, schedule and spacing: what is made
// has finite coefficients.
#include "base/alloc.h"
#include "base/json.h"
#include "damage.h"
#include "fitted.h"
#include "sample/sample.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const configs[] = {
    "{\"_class_name\": \"PNDMScheduler\", \"num_train_timesteps\": 1000, \"beta_start\": 0.00085, "
    "\"beta_end\": 0.012, "
    "\"beta_schedule\": \"scaled_linear\", \"skip_prk_steps\": true, \"steps_offset\": 1, "
    "\"clip_sample\": "
    "false}",
    "{\"_class_name\": \"EulerDiscreteScheduler\", \"beta_schedule\": \"scaled_linear\", "
    "\"interpolation_type\": \"linear\", "
    "\"prediction_type\": \"v_prediction\", \"timestep_spacing\": \"trailing\", "
    "\"use_karras_sigmas\": true, "
    "\"sigma_min\": 0.002, \"sigma_max\": 120, \"rescale_betas_zero_snr\": true, "
    "\"final_sigmas_type\": "
    "\"zero\"}",
    "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"algorithm_type\": \"dpmsolver++\", "
    "\"solver_order\": 2, "
    "\"solver_type\": \"midpoint\", \"lower_order_final\": true, \"euler_at_final\": false, "
    "\"thresholding\": false}",
    "{\"_class_name\": \"LCMScheduler\", \"original_inference_steps\": 50, \"timestep_scaling\": "
    "10.0, "
    "\"clip_sample\": "
    "false, \"set_alpha_to_one\": true, \"beta_schedule\": \"squaredcos_cap_v2\"}",
};

static void check_rows(const struct fum_sample_program *program) {
    size_t stride = fum_sample_row_size(program), count = stride * (size_t)program->evals;
    float *rows = fum_calloc(count, sizeof *rows);
    if (!rows) abort();
    fum_sample_coefs(program, 7.5, rows, stride);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(rows[i])) abort();
    fum_free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const samplers[] = {
        NULL,          "ddim",     "pndm",   "lms",       "euler",   "euler_a",
        "heun",        "dpm2",     "dpm2_a", "dpm++2s_a", "dpm++2m", "dpm++2m_sde",
        "dpm++3m_sde", "dpm++sde", "unipc",  "lcm",       "ddpm"};
    static const char *const schedules[] = {NULL,          "discrete",    "karras",
                                            "exponential", "sgm_uniform", "simple",
                                            "beta",        "ays",         "kl_optimal"};
    struct choices c = {data, size, 0};
    struct fum_error err = {0};
    struct fum_sample_program *program = NULL;
    cJSON *json = NULL;
    size_t bytes;
    struct fum_sample_params params = {.config = fum_sample_config_sd()};
    char *text = damage_json(configs[choose(&c, 4)], &c, &bytes);
    params.sampler = samplers[choose(&c, sizeof samplers / sizeof *samplers)];
    params.schedule = schedules[choose(&c, sizeof schedules / sizeof *schedules)];
    params.steps = 1 + (int)(one_in(&c, 4) ? choose(&c, 1000) : choose(&c, 30));
    params.eta = one_in(&c, 4) ? 1.0f : 0.0f;
    params.ays = one_in(&c, 4) ? fum_ays_sdxl : NULL;
    enum fum_result result = fum_json_parse(&json, text, bytes, "scheduler", &err);
    free(text);
    if (!result) result = fum_sample_config_read(&params.config, json, &err);
    if (!result) result = fum_sample_create(&program, &params, &err);
    fitted_expect(result, &err);
    if (!result) check_rows(program);
    fum_sample_destroy(&program);
    cJSON_Delete(json);
    return 0;
}
