// SPDX-License-Identifier: MIT
// Every field of OpenAI's API for pictures, those that fumarole adds, and what they mean for a job.
#include "openai.h"

enum { GEN = OPENAI_GENERATE, EDIT = OPENAI_EDIT, VARY = OPENAI_VARY, ALL = GEN | EDIT | VARY };

// clang-format off
const struct api_field openai_fields[] = {
    {"prompt", API_TEXT, API_COPIED, "prompt", NULL, ALL, "what to draw"},
    {"model", API_TEXT, API_READ, "model", NULL, ALL,
     "a name of /v1/models; names of OpenAI's own mean the default"},
    {"n", API_WHOLE, API_READ, "batch_count", NULL, ALL, "pictures, 1 to 10 (1)"},
    {"size", API_TEXT, API_READ, "width", NULL, ALL, "auto, or width and height such as 512x512"},
    {"size", API_TEXT, API_READ, "height", NULL, ALL, NULL},
    {"response_format", API_TEXT, API_READ, NULL, NULL, ALL, "b64_json (default) or url"},
    {"output_format", API_TEXT, API_READ, NULL, NULL, ALL, "png (default), jpeg or webp"},
    {"output_compression", API_WHOLE, API_READ, NULL, NULL, ALL,
     "quality of a JPEG or WebP, 0 to 100 (90)"},
    {"background", API_TEXT, API_READ, NULL, NULL, ALL, "auto or opaque"},
    {"stream", API_BOOL, API_READ, NULL, NULL, ALL, "true: events while it is drawn"},
    {"partial_images", API_WHOLE, API_READ, NULL, NULL, ALL,
     "of each picture in a stream, 0 to 3 (0)"},
    {"quality", API_TEXT, API_NOTHING, NULL, NULL, ALL, NULL},
    {"style", API_TEXT, API_NOTHING, NULL, NULL, ALL, NULL},
    {"moderation", API_TEXT, API_NOTHING, NULL, NULL, ALL, NULL},
    {"input_fidelity", API_TEXT, API_NOTHING, NULL, NULL, ALL, NULL},
    {"user", API_TEXT, API_NOTHING, NULL, NULL, ALL, NULL},
    {"safety_identifier", API_TEXT, API_NOTHING, NULL, NULL, ALL, NULL},
    // parts of a multipart body, which openai_read_parts takes before this table is read
    {"image", API_TEXT, API_NEUTRAL, "init_img", NULL, EDIT | VARY,
     "the picture, one file"},
    {"mask", API_TEXT, API_NEUTRAL, "mask", NULL, EDIT | VARY,
     "a file that is transparent where the picture may change"},

    // fumarole's own
    {"seed", API_WHOLE, API_COPIED, "seed", NULL, ALL,
     "of the first picture; -1, and none, is a random one"},
    {"steps", API_WHOLE, API_COPIED, "steps", NULL, ALL, NULL},
    {"negative_prompt", API_TEXT, API_COPIED, "negative_prompt", NULL, ALL, NULL},
    {"cfg_scale", API_NUMBER, API_COPIED, "cfg_scale", NULL, ALL, NULL},
    {"sampler", API_TEXT, API_READ, "sampling_method", NULL, ALL, NULL},
    {"scheduler", API_TEXT, API_READ, "scheduler", NULL, ALL, NULL},
    {"strength", API_NUMBER, API_COPIED, "strength", NULL, EDIT | VARY, NULL},
    {0},
};
// clang-format on
