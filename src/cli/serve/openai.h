// SPDX-License-Identifier: MIT
// What the routes of OpenAI's API share.
#ifndef FUM_CLI_SERVE_OPENAI_H
#define FUM_CLI_SERVE_OPENAI_H

#include "api_pictures.h"

enum { OPENAI_GENERATE = 1, OPENAI_EDIT = 2, OPENAI_VARY = 4 };
extern const struct api_field openai_fields[];

// A request, and the pictures of its multipart body, which lie in the body.
struct openai_call {
    struct api_call call;
    const void *image, *mask; // NULL: none
    size_t image_bytes, mask_bytes;
    // How the pictures are sent.
    struct api_format format;
    bool url;
    int partials; // of a picture, while it is drawn; only in a stream
};

// Reads the parts of a multipart body into an object of the types that the table has, and notes the
// pictures. The object is to be freed. NULL: the call's error is filled in.
cJSON *openai_read_parts(struct openai_call *o);

// Sets the fields of a job from those that api_begin does not copy. Returns false with the call's
// error filled in.
bool openai_translate(struct openai_call *o);

// Answers with the pictures of a finished job.
void openai_answer(struct openai_call *o, const cJSON *job);
// Answers with events as the job goes on.
void openai_stream(struct openai_call *o, const char *id);

// Adds what answers and events have: size, format, and fields that never change.
bool openai_add_settings(cJSON *object, const struct api_format *format, const char *size);
// Writes "128x128" of a Job or Picture.
enum { OPENAI_SIZE_BYTES = 32 };
void openai_format_size(const cJSON *object, char size[OPENAI_SIZE_BYTES]);
// Returns the picture in the requested format as base64, to free with free(). NULL: memory is out,
// or the picture was removed.
char *openai_encode_picture(struct jobs *jobs, const cJSON *picture,
                            const struct api_format *format);

#endif
