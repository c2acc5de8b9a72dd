// SPDX-License-Identifier: MIT
// Joins and copies paths, and finds the folder of the running program.
#define _POSIX_C_SOURCE 200809L

#include "cli.h"

#include <fumarole/file.h>

#include <stdlib.h>
#include <string.h>

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#elif !defined(_WIN32)
#include <unistd.h>
#endif

const char *cli_program_dir(char path[CLI_PATH_BYTES]) {
    size_t len = 0;
#if defined(_WIN32)
    len = cli_utf8_program(path, CLI_PATH_BYTES);
    for (size_t i = 0; i < len; i++) path[i] = path[i] == '\\' ? '/' : path[i];
#elif defined(__APPLE__)
    uint32_t size = CLI_PATH_BYTES - 1;
    if (_NSGetExecutablePath(path, &size) == 0) len = strlen(path);
#else
    ssize_t got = readlink("/proc/self/exe", path, CLI_PATH_BYTES - 1);
    len = got > 0 ? (size_t)got : 0;
#endif
    path[len] = 0; // readlink does not
    while (len > 0 && path[len] != '/') len--;
    path[len] = 0;
    return len > 0 ? path : NULL;
}

char *cli_copy(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

char *cli_join(const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%s", dir, name);
    return path;
}

bool cli_is_special(const char *path) {
    enum fum_file_kind kind;
    return fum_file_look(path, &kind, NULL) == FUM_OK && kind == FUM_FILE_OTHER;
}
