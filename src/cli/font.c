// SPDX-License-Identifier: MIT
#include "font.h"

#include <stddef.h>
#include <string.h>

#if defined(__GNUC__)
#pragma GCC diagnostic ignored \
    "-Wunused-function" // reported at the end of the file, so not inside the push
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
#if __has_include(<stb/stb_easy_font.h>)
#include <stb/stb_easy_font.h>
#else
#include <stb_easy_font.h> // some systems have no folder for it
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

enum { DOTS = 5, ROWS = 8, GREEK_WIDTH = DOTS + 1 };

// The letters that stb_easy_font lacks. A row is five bits, the leftmost the highest.
static const struct greek {
    const char *name; // UTF-8
    uint8_t rows[ROWS];
} greek[] = {
    {"β", {0x0c, 0x12, 0x12, 0x1c, 0x12, 0x12, 0x1c, 0x10}},
    {"ᾱ", {0x1f, 0x00, 0x0d, 0x12, 0x12, 0x12, 0x0d}},
};

static const struct greek *find_greek(const char *text) {
    for (size_t i = 0; i < sizeof greek / sizeof *greek; i++)
        if (strncmp(text, greek[i].name, strlen(greek[i].name)) == 0) return &greek[i];
    return NULL;
}

static void fill(const struct cli_canvas *canvas, int left, int top, int width, int height) {
    for (int y = top; y < top + height; y++)
        for (int x = left; x < left + width; x++)
            if (x >= 0 && y >= 0 && x < canvas->width && y < canvas->height)
                memset(canvas->pixels + ((size_t)y * (size_t)canvas->width + (size_t)x) *
                                            (size_t)canvas->channels,
                       0, (size_t)canvas->channels);
}

static void write_greek(const struct cli_canvas *canvas, int x, int y, const struct greek *letter) {
    for (int row = 0; row < ROWS; row++)
        for (int dot = 0; dot < DOTS; dot++)
            if (letter->rows[row] >> (DOTS - 1 - dot) & 1) fill(canvas, x + dot, y + row, 1, 1);
}

// A corner of a rectangle, as stb_easy_font stores it. A rectangle has four, clockwise.
struct corner {
    float x, y, z;
    unsigned char colour[4];
};

static void write_ascii(const struct cli_canvas *canvas, int x, int y, char letter) {
    enum { MOST = 32 }; // rectangles of a letter
    struct corner corners[4 * MOST];
    char text[] = {letter, 0};
    int count = stb_easy_font_print((float)x, (float)y, text, NULL, corners, sizeof corners);
    for (int i = 0; i < count; i++) {
        const struct corner *first = &corners[4 * i], *opposite = first + 2;
        fill(canvas, (int)first->x, (int)first->y, (int)(opposite->x - first->x),
             (int)(opposite->y - first->y));
    }
}

// Writes the text, or only measures it if there is no canvas. Returns its width.
static int walk_text(const struct cli_canvas *canvas, int x, int y, const char *text) {
    int start = x;
    while (*text) {
        const struct greek *letter = find_greek(text);
        char ascii[] = {*text, 0};
        if (*text < ' ' || *text > '~') ascii[0] = '?';
        if (canvas && letter) write_greek(canvas, x, y, letter);
        if (canvas && !letter) write_ascii(canvas, x, y, ascii[0]);
        x += letter ? GREEK_WIDTH : stb_easy_font_width(ascii);
        text += letter ? strlen(letter->name) : 1;
    }
    return x - start;
}

void cli_font_write(const struct cli_canvas *canvas, int x, int y, const char *text) {
    walk_text(canvas, x, y, text);
}

int cli_font_width(const char *text) {
    return walk_text(NULL, 0, 0, text);
}
