// SPDX-License-Identifier: MIT
// Makes arguments and output UTF-8 on every version of Windows, with or without the manifest.
#include "cli.h"

#include <stdlib.h>
#include <windows.h>

#include <shellapi.h>

enum { MAX_PATH_UNITS = 4096 };

static char *narrow(const wchar_t *wide) {
    int bytes = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = bytes > 0 ? malloc((size_t)bytes) : NULL;
    if (text) WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, bytes, NULL, NULL);
    return text;
}

char **cli_utf8_arguments(int *argc, char **argv) {
    int count = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **list = wide ? calloc((size_t)count + 1, sizeof *list) : NULL;
    bool good = list != NULL;
    for (int i = 0; good && i < count; i++) good = (list[i] = narrow(wide[i])) != NULL;
    LocalFree(wide);
    SetConsoleOutputCP(CP_UTF8);
    if (!good) return argv; // what was converted is not freed: the program ends soon
    *argc = count;
    return list;
}

size_t cli_utf8_program(char *path, size_t size) {
    wchar_t wide[MAX_PATH_UNITS];
    DWORD units = GetModuleFileNameW(NULL, wide, MAX_PATH_UNITS);
    if (units == 0 || units == MAX_PATH_UNITS) return 0; // failed, or cut off
    int bytes = WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, (int)size, NULL, NULL);
    return bytes > 0 ? (size_t)bytes - 1 : 0;
}
