// SPDX-License-Identifier: MIT
// Opens models for commands that work on their files.
#include "model.h"

#include "cli.h"

int cli_open_model(fum_model **model, const char *path, const struct fum_log *log) {
    char program_dir[CLI_PATH_BYTES];
    struct fum_error err = {0};
    const struct fum_model_params params = {
        .path = path, .program_dir = cli_program_dir(program_dir), .log = log};
    enum fum_result result = fum_model_open(model, &params, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    const struct fum_model_info *info = fum_model_get_info(*model);
    return info->unusable ? cli_fail("%s", info->unusable) : 0;
}
