// SPDX-License-Identifier: MIT
// Reads the width of the terminal from the operating system.
#define _DEFAULT_SOURCE // winsize

#include "help.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/ioctl.h>
#include <unistd.h>
#endif

enum { DEFAULT_WIDTH = 80, MIN_WIDTH = 40, MAX_WIDTH = 1000 };

// Returns the columns of the terminal on standard output, or 0 if that is a pipe or a file.
static int read_columns(void) {
#if defined(_WIN32)
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (!GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &info)) return 0;
    return info.srWindow.Right - info.srWindow.Left + 1;
#elif defined(TIOCGWINSZ)
    struct winsize size = {0};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
#else
    return 0;
#endif
}

int cli_terminal_width(void) {
    const char *columns = getenv("COLUMNS");
    long width = columns ? strtol(columns, NULL, 10) : 0;
    if (width <= 0) width = read_columns();
    if (width <= 0) return DEFAULT_WIDTH;
    if (width < MIN_WIDTH) return MIN_WIDTH;
    return width > MAX_WIDTH ? MAX_WIDTH : (int)width;
}
