// SPDX-License-Identifier: MIT
// Base64 (RFC 4648), as JSON carries pictures.
#ifndef FUM_CLI_BASE64_H
#define FUM_CLI_BASE64_H

#include <stddef.h>

// Returns the bytes as base64, to free with free(). NULL: memory is out.
char *cli_base64_encode(const void *data, size_t bytes);

enum cli_base64 { CLI_BASE64_GOOD, CLI_BASE64_BAD, CLI_BASE64_NO_MEMORY };
// Decodes base64, or a data URL of it. Line ends and spaces are skipped, and padding may be left
// out. *data is to be freed with free().
enum cli_base64 cli_base64_decode(const char *text, void **data, size_t *bytes);

#endif
