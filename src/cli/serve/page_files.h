// SPDX-License-Identifier: MIT
// The files of the page, which lie in the program. Those of the folder page, as embed.py writes
// them.
#ifndef FUM_CLI_SERVE_PAGE_FILES_H
#define FUM_CLI_SERVE_PAGE_FILES_H

#include <stddef.h>

struct page_file {
    const char *name, *type, *etag;
    const unsigned char *data;
    size_t bytes;
};

// Returns the file of that name, or NULL.
const struct page_file *page_find(const char *name);

#endif
