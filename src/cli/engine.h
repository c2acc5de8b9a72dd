// SPDX-License-Identifier: MIT
// Opens what draws the pictures of a request on a device: the model, its pipeline, and the network
// that enlarges the pictures.
#ifndef FUM_CLI_ENGINE_H
#define FUM_CLI_ENGINE_H

#include "generate_options.h"

#include <fumarole/upscale.h>

// Zero to begin with, but for the device, which the caller opens and destroys.
struct cli_engine {
    fum_device *device;
    fum_model *model;
    fum_pipeline *pipeline;
    fum_upscaler *upscaler; // NULL: pictures stay as they are
};

// Opens the model that the options name, or the one of this hash unless that is "".
enum fum_result cli_engine_open_model(struct cli_engine *engine,
                                      const struct generate_options *options, const char *hash,
                                      const struct fum_log *log, struct fum_error *err);
// Returns a rough count of the floating-point operations of a step of the picture, for the open
// model.
double cli_engine_step_flops(const struct cli_engine *engine,
                             const struct fum_generate_params *picture);
// Makes the pipeline of the options. `callbacks` has the functions of loading and the log, which is
// kept.
enum fum_result cli_engine_open_pipeline(struct cli_engine *engine,
                                         const struct generate_options *options,
                                         const struct fum_pipeline_params *callbacks,
                                         struct fum_error *err);
// Opens the network of --upscale-model, if it is given. The log is kept.
enum fum_result cli_engine_open_upscaler(struct cli_engine *engine,
                                         const struct generate_options *options,
                                         const struct fum_log *log, struct fum_error *err);
// Returns a text of the options that the model and the pipeline are opened with, to free with
// free(); NULL when memory is out. Equal texts open equal ones.
char *cli_engine_describe(const struct generate_options *options);
// Closes all of it but the device.
void cli_engine_close(struct cli_engine *engine);

// A picture to enlarge, and what is called meanwhile.
struct cli_enlargement {
    const struct fum_image *image;
    bool (*on_tile)(void *user, int done, int total); // false: cancel
    // Receives the large picture, with everything else as `image` has it. False: cancel.
    bool (*on_image)(void *user, const struct fum_image *image);
    void *user;
};
// Enlarges a picture with the upscaler.
enum fum_result cli_engine_enlarge(struct cli_engine *engine,
                                   const struct generate_options *options,
                                   const struct cli_enlargement *enlargement,
                                   struct fum_error *err);

#endif
