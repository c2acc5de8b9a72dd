// SPDX-License-Identifier: MIT
// The text in a PNG from which --from-png draws it again: the options of its request, and the hash
// of the model.
#ifndef FUM_CLI_RECIPE_H
#define FUM_CLI_RECIPE_H

#include "requests.h"

// Describes a picture that a request drew. `seed` is the picture's own, `model_hash` may be NULL.
struct cli_recipe {
    const struct generate_request *request;
    uint64_t seed;
    int image; // its index in the request
    const char *model_hash;
};

// Returns the text, to free with free(). NULL: options alone do not draw the picture again, such as
// a part of an interpolation, or a picture made from one that was sent. *no_memory: memory is out
// instead.
char *cli_recipe_write(const struct cli_recipe *recipe, bool *no_memory);
// Sets the options of the requests from those of a picture: from its text, or from the parameters
// that A1111 and others write. Returns 0, or prints the error and returns an exit status.
int cli_recipe_read(struct generate_requests *requests, const char *path);

#endif
