// SPDX-License-Identifier: MIT
// Checks the options of `fumarole generate` about pictures that are given.
#include "generate_options.h"

#include <math.h>
#include <string.h>

// Reads "64,0,64,0".
static int read_outpaint(const struct cli_command *command, struct generate_options *options) {
    enum { MOST = 16384 };
    int *add = options->picture.outpaint;
    char end;
    const char *text = options->outpaint;
    if (!text) return -1;
    bool read = strspn(text, "0123456789,") == strlen(text) && strlen(text) < 32 &&
                sscanf(text, "%d,%d,%d,%d%c", &add[0], &add[1], &add[2], &add[3], &end) == 4;
    for (int i = 0; i < 4; i++) read = read && add[i] >= 0 && add[i] <= MOST;
    if (read && add[0] + add[1] + add[2] + add[3] > 0) return -1;
    return cli_misuse(command,
                      "--outpaint needs the pixels to add left, above, right and below, such as "
                      "64,0,64,0, not \"%s\"",
                      cli_show(text).text);
}

// True if there is a picture: a file, or its content.
static bool is_given(const struct fum_image_source *source) {
    return source->path || source->data;
}

// Returns the name of an option that needs a picture and was given, or NULL.
static const char *find_dependent(const struct fum_generate_params *picture) {
    if (!isnan(picture->strength)) return "strength";
    if (is_given(&picture->mask)) return "mask";
    if (picture->outpaint[0] + picture->outpaint[1] + picture->outpaint[2] + picture->outpaint[3])
        return "outpaint";
    return picture->image_guidance > 0 ? "img-cfg-scale" : NULL;
}

// Returns the name of an option that needs a mask and was given, or NULL.
static const char *find_masked(const struct fum_generate_params *picture) {
    if (picture->mask_invert) return "mask-invert";
    if (picture->mask_blur > 0) return "mask-blur";
    if (picture->inpaint_fill != FUM_INPAINT_ORIGINAL) return "inpaint-fill";
    if (picture->only_masked) return "inpaint-only-masked";
    if (picture->masked_padding >= 0) return "inpaint-padding";
    return picture->no_mask_composite ? "no-mask-composite" : NULL;
}

int generate_options_check_pictures(const struct cli_command *command,
                                    struct generate_options *options) {
    const struct fum_generate_params *picture = &options->picture;
    bool given = is_given(&picture->init_image);
    int status = read_outpaint(command, options);
    if (status >= 0) return status;
    if (given && (options->invert || picture->interpolate[0] || picture->reconstruct))
        return cli_misuse(command, "--init-img goes without --invert, --interpolate and "
                                   "--reconstruct");
    const char *dependent = find_dependent(picture), *masked = find_masked(picture);
    if (!given && dependent)
        return cli_misuse(command, "--%s needs --init-img IMAGE, the picture to change", dependent);
    if (masked && !is_given(&picture->mask) && !options->outpaint)
        return cli_misuse(command, "--%s needs --mask IMAGE or --outpaint L,T,R,B", masked);
    return -1;
}
