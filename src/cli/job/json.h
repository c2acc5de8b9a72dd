// SPDX-License-Identifier: MIT
// Reads JSON that strangers send.
#ifndef FUM_CLI_JOB_JSON_H
#define FUM_CLI_JOB_JSON_H

#include "../cli.h"

enum { JOB_JSON_DEPTH = 64, JOB_JSON_VALUES = 100000 };

// Why a text is refused: one escaped line.
struct job_json_error {
    char text[120];
};

// Reads a text that is one value by the grammar of RFC 8259, and nothing more but white space. The
// text is UTF-8. Refused are also numbers without a finite value, \u0000, lone surrogates, an
// object that has a key twice, and more levels or values than above. Free *json with cJSON_Delete;
// it is NULL unless the result is CLI_JSON_GOOD. Any thread.
enum cli_json job_json_read(cJSON **json, const char *text, size_t bytes,
                            struct job_json_error *error);

#endif
