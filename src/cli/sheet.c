// SPDX-License-Identifier: MIT
#include "sheet.h"

#include "font.h"

#include <stdlib.h>
#include <string.h>

enum { MARGIN = 4, LABEL_BYTES = 200 };

static int count_rows(const struct cli_sheet *sheet) {
    return sheet->axes[1].count ? sheet->axes[1].count : 1;
}

static int count_cells(const struct cli_sheet *sheet) {
    return sheet->axes[0].count * count_rows(sheet);
}

// Where things lie on a sheet, in pixels.
struct layout {
    int width, height; // of the largest cell
    int left, top;     // of the first cell
    int whole_width, whole_height;
};

// Writes "steps 10": a value with the name of its option.
static char *label(char text[LABEL_BYTES], const struct generate_axis *axis, int index) {
    snprintf(text, LABEL_BYTES, "%s %s", axis->name, axis->values[index]);
    return text;
}

// Returns the room that the labels of an axis take.
static int widest_label(const struct generate_axis *axis) {
    char text[LABEL_BYTES];
    int widest = 0;
    for (int i = 0; i < axis->count; i++) {
        int width = cli_font_width(label(text, axis, i));
        if (width > widest) widest = width;
    }
    return widest;
}

static int lay_out(const struct cli_sheet *sheet, struct layout *layout) {
    *layout = (struct layout){.top = CLI_FONT_HEIGHT + 2 * MARGIN};
    for (int i = 0; i < count_cells(sheet); i++) {
        const struct cli_cell *cell = &sheet->cells[i];
        if (cell->width > layout->width) layout->width = cell->width;
        if (cell->height > layout->height) layout->height = cell->height;
    }
    if (sheet->axes[1].count) {
        int widest = widest_label(&sheet->axes[1]), most = 2 * layout->width;
        layout->left = 2 * MARGIN + (widest < most ? widest : most);
    }
    long long width = layout->left + (long long)sheet->axes[0].count * (layout->width + MARGIN),
              height = layout->top + (long long)count_rows(sheet) * (layout->height + MARGIN);
    if (width > FUM_MAX_SIDE || height > FUM_MAX_SIDE || width * height > FUM_MAX_PIXELS)
        return cli_fail("a grid of %lld x %lld pixels is too large; use fewer values", width,
                        height);
    layout->whole_width = (int)width;
    layout->whole_height = (int)height;
    return 0;
}

int cli_sheet_add(struct cli_sheet *sheet, int cell, const struct fum_image *image) {
    size_t bytes = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    if (!sheet->cells) sheet->cells = calloc((size_t)count_cells(sheet), sizeof *sheet->cells);
    if (!sheet->parameters) {
        sheet->parameters = cli_copy(image->parameters);
        sheet->seed = image->seed;
        sheet->channels = image->channels;
    }
    uint8_t *pixels = malloc(bytes);
    if (!pixels || !sheet->cells || !sheet->parameters) {
        free(pixels);
        return cli_fail("no memory to keep picture %d", cell + 1);
    }
    memcpy(pixels, image->pixels, bytes);
    sheet->cells[cell] = (struct cli_cell){pixels, image->width, image->height};
    sheet->drawn++;
    struct layout layout;
    return lay_out(sheet, &layout);
}

static void copy_cell(const struct cli_canvas *canvas, const struct cli_cell *cell, int left,
                      int top) {
    size_t channels = (size_t)canvas->channels, row = (size_t)cell->width * channels;
    for (int y = 0; y < cell->height; y++) {
        size_t to = (size_t)(top + y) * (size_t)canvas->width + (size_t)left;
        memcpy(canvas->pixels + to * channels, cell->pixels + (size_t)y * row, row);
    }
}

// Writes a label into a room of that width; what does not fit is cut off.
static void write_label(const struct cli_canvas *canvas, int x, int y, int room, char *text) {
    for (size_t length = strlen(text); length && cli_font_width(text) > room;) text[--length] = 0;
    cli_font_write(canvas, x, y, text);
}

static void fill_canvas(const struct cli_sheet *sheet, const struct layout *layout,
                        const struct cli_canvas *canvas) {
    char text[LABEL_BYTES];
    int columns = sheet->axes[0].count, step = layout->width + MARGIN,
        down = layout->height + MARGIN;
    for (int y = 0; y < sheet->axes[1].count; y++)
        write_label(canvas, MARGIN, layout->top + y * down + MARGIN, layout->left - 2 * MARGIN,
                    label(text, &sheet->axes[1], y));
    for (int x = 0; x < columns; x++)
        write_label(canvas, layout->left + x * step, MARGIN, layout->width,
                    label(text, &sheet->axes[0], x));
    for (int i = 0; i < count_cells(sheet); i++)
        copy_cell(canvas, &sheet->cells[i], layout->left + i % columns * step,
                  layout->top + i / columns * down);
}

int cli_sheet_finish(struct cli_sheet *sheet, struct fum_image *image) {
    struct layout layout;
    int status = lay_out(sheet, &layout);
    if (status) return status;
    size_t bytes =
        (size_t)layout.whole_width * (size_t)layout.whole_height * (size_t)sheet->channels;
    sheet->pixels = malloc(bytes);
    if (!sheet->pixels) return cli_fail("out of memory");
    memset(sheet->pixels, 255, bytes);
    const struct cli_canvas canvas = {sheet->pixels, layout.whole_width, layout.whole_height,
                                      sheet->channels};
    fill_canvas(sheet, &layout, &canvas);
    *image = (struct fum_image){.seed = sheet->seed,
                                .width = canvas.width,
                                .height = canvas.height,
                                .channels = canvas.channels,
                                .pixels = sheet->pixels,
                                .parameters = sheet->parameters,
                                .parameters_bytes = strlen(sheet->parameters)};
    return 0;
}

void cli_sheet_free(struct cli_sheet *sheet) {
    for (int i = 0; sheet->cells && i < count_cells(sheet); i++) free(sheet->cells[i].pixels);
    free(sheet->cells);
    free(sheet->parameters);
    free(sheet->pixels);
}
