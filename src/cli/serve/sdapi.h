// SPDX-License-Identifier: MIT
// What the routes of A1111's API share.
#ifndef FUM_CLI_SERVE_SDAPI_H
#define FUM_CLI_SERVE_SDAPI_H

#include "api.h"

enum { SDAPI_TXT2IMG = 1, SDAPI_IMG2IMG = 2, SDAPI_EXTRAS = 4, SDAPI_PNG_INFO = 8 };
extern const struct api_field sdapi_fields[];

// Sets the fields of a job from those that api_begin does not copy. `options` are those of this
// request, see options.h. Returns false with the call's error filled in.
bool sdapi_translate(struct api_call *call, const cJSON *options);

// Sets the ControlNets of "alwayson_scripts", and refuses other scripts. Returns as above.
bool sdapi_set_controls(struct api_call *call);

// Returns the object that A1111 answers with, or NULL: memory is out.
cJSON *sdapi_make_result(const struct api_call *call, const cJSON *job);

// Writes a time as A1111 writes job_timestamp, "20261129021147".
enum { SDAPI_TIME_BYTES = 16 };
void sdapi_format_time(double seconds, char text[SDAPI_TIME_BYTES]);

#endif
