// SPDX-License-Identifier: MIT
// Writes a page: text that grows, in which what comes from outside is no markup.
#include "page.h"

#include <stdarg.h>
#include <stdlib.h>

static bool reserve(struct cli_page *page, size_t more) {
    if (page->failed || page->bytes + more < page->capacity) return !page->failed;
    size_t capacity = (page->capacity + more) * 2;
    char *text = realloc(page->text, capacity);
    page->failed = !text;
    if (text) {
        page->text = text;
        page->capacity = capacity;
    }
    return text != NULL;
}

void cli_page_put(struct cli_page *page, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, fmt, args);
    if (bytes > 0 && reserve(page, (size_t)bytes + 1)) {
        vsnprintf(page->text + page->bytes, (size_t)bytes + 1, fmt, again);
        page->bytes += (size_t)bytes;
    }
    va_end(again);
    va_end(args);
}

void cli_page_text(struct cli_page *page, const char *text) {
    for (; *text; text++) {
        if (*text == '<' || *text == '>' || *text == '&' || *text == '"' || *text == '\'')
            cli_page_put(page, "&#%d;", *text);
        else
            cli_page_put(page, "%c", (unsigned char)*text < 0x20 ? ' ' : *text);
    }
}
