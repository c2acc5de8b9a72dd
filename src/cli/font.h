// SPDX-License-Identifier: MIT
// Writes short captions into pictures, by stb_easy_font.
#ifndef FUM_CLI_FONT_H
#define FUM_CLI_FONT_H

#include <stdint.h>

enum { CLI_FONT_HEIGHT = 12 }; // of a line

// 8 bits per channel, rows from the top.
struct cli_canvas {
    uint8_t *pixels;
    int width, height, channels;
};

// Writes black text with its upper left corner at x, y. It knows printable ASCII, "β" and "ᾱ", and
// writes "?" for each byte of anything else. What passes the canvas is cut off.
void cli_font_write(const struct cli_canvas *canvas, int x, int y, const char *text);
// Returns the width of a text in pixels.
int cli_font_width(const char *text);

#endif
