// SPDX-License-Identifier: MIT
// Writes short captions into pictures, in letters of 5 x 8 dots.
#ifndef FUM_CLI_FONT_H
#define FUM_CLI_FONT_H

#include <stdint.h>

enum { CLI_FONT_WIDTH = 6, CLI_FONT_HEIGHT = 9 }; // of a letter with the space around it

// 8 bits per channel, rows from the top.
struct cli_canvas {
    uint8_t *pixels;
    int width, height, channels;
};

// Writes black text with its upper left corner at x, y. It knows digits, signs, "t", "e", "SNR",
// "B" for beta, "A" for alpha with a bar, and leaves other letters blank. What passes the canvas is
// cut off.
void cli_font_write(const struct cli_canvas *canvas, int x, int y, const char *text);

#endif
