// SPDX-License-Identifier: MIT
// Every field of OpenAI's API for pictures, those that fumarole adds, and what they mean for a job.
#include "openai.h"

enum { GEN = OPENAI_GENERATE, EDIT = OPENAI_EDIT, VARY = OPENAI_VARY, ALL = GEN | EDIT | VARY };

// clang-format off
const struct api_field openai_fields[] = {
    {"prompt", API_TEXT, API_COPIED, "prompt", NULL, ALL},
    {"model", API_TEXT, API_READ, "model", NULL, ALL},
    {"n", API_WHOLE, API_READ, "batch_count", NULL, ALL},
    {"size", API_TEXT, API_READ, "width", NULL, ALL},
    {"size", API_TEXT, API_READ, "height", NULL, ALL},
    {"response_format", API_TEXT, API_READ, NULL, NULL, ALL},
    {"output_format", API_TEXT, API_READ, NULL, NULL, ALL},
    {"output_compression", API_WHOLE, API_READ, NULL, NULL, ALL},
    {"background", API_TEXT, API_READ, NULL, NULL, ALL},
    {"stream", API_BOOL, API_READ, NULL, NULL, ALL},
    {"partial_images", API_WHOLE, API_READ, NULL, NULL, ALL},
    {"quality", API_TEXT, API_NOTHING, NULL, NULL, ALL},
    {"style", API_TEXT, API_NOTHING, NULL, NULL, ALL},
    {"moderation", API_TEXT, API_NOTHING, NULL, NULL, ALL},
    {"input_fidelity", API_TEXT, API_NOTHING, NULL, NULL, ALL},
    {"user", API_TEXT, API_NOTHING, NULL, NULL, ALL},
    {"safety_identifier", API_TEXT, API_NOTHING, NULL, NULL, ALL},
    // parts of a multipart body, which openai_read_parts takes before this table is read
    {"image", API_TEXT, API_NEUTRAL, "init_img", NULL, EDIT | VARY},
    {"mask", API_TEXT, API_NEUTRAL, "mask", NULL, EDIT | VARY},

    // fumarole's own
    {"seed", API_WHOLE, API_COPIED, "seed", NULL, ALL},
    {"steps", API_WHOLE, API_COPIED, "steps", NULL, ALL},
    {"negative_prompt", API_TEXT, API_COPIED, "negative_prompt", NULL, ALL},
    {"cfg_scale", API_NUMBER, API_COPIED, "cfg_scale", NULL, ALL},
    {"sampler", API_TEXT, API_READ, "sampling_method", NULL, ALL},
    {"scheduler", API_TEXT, API_READ, "scheduler", NULL, ALL},
    {"strength", API_NUMBER, API_COPIED, "strength", NULL, EDIT | VARY},
    {0},
};
// clang-format on
