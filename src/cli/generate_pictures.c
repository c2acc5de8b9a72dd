// SPDX-License-Identifier: MIT
// Checks the options of `fumarole generate` about pictures that are given.
#include "generate_options.h"

#include <math.h>

int generate_options_check_pictures(const struct cli_command *command,
                                    const struct generate_options *options) {
    const struct fum_generate_params *picture = &options->picture;
    bool given = picture->init_image.path != NULL;
    if (given && (options->invert || picture->interpolate[0] || picture->reconstruct))
        return cli_misuse(command, "--init-img goes without --invert, --interpolate and "
                                   "--reconstruct");
    if (!given && !isnan(picture->strength))
        return cli_misuse(command, "--strength needs --init-img IMAGE, the picture to change");
    return -1;
}
