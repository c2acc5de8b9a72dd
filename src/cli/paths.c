// Where models are: given paths, $FUMAROLE_MODELS, the installed share folder beside the program, and the source
// tree that holds the build folder. The one file of the program that knows operating systems apart.
#define _POSIX_C_SOURCE 200809L

#include "cli.h"

#include <fumarole/file.h>

#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <windows.h>
#elif defined(__APPLE__)
#include <mach-o/dyld.h>
#else
#include <unistd.h>
#endif

enum { PATH_BYTES = 4096, LEVELS_UP = 4 };

// The folder of the running program, without a slash at its end; false when the system will not say.
static bool program_folder(char *path) {
    size_t len = 0;
#if defined(_WIN32)
    len = GetModuleFileNameA(NULL, path, PATH_BYTES - 1);
#elif defined(__APPLE__)
    uint32_t size = PATH_BYTES - 1;
    if (_NSGetExecutablePath(path, &size) == 0)
        len = strlen(path);
#else
    ssize_t got = readlink("/proc/self/exe", path, PATH_BYTES - 1);
    len = got > 0 ? (size_t)got : 0;
#endif
    while (len > 0 && path[len] != '/' && path[len] != '\\')
        len--;
    path[len] = 0;
    return len > 0;
}

static enum fum_file_kind kind_of(const char *path) {
    enum fum_file_kind kind;
    return fum_file_look(path, &kind, NULL) == FUM_OK ? kind : FUM_FILE_NONE;
}

// True also when that cannot be found out: opening it then tells why.
static bool may_exist(const char *path) {
    enum fum_file_kind kind;
    return fum_file_look(path, &kind, NULL) != FUM_OK || kind != FUM_FILE_NONE;
}

static char *copy_text(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

bool cli_is_folder(const char *path) {
    return kind_of(path) == FUM_FILE_FOLDER;
}

bool cli_is_special(const char *path) {
    return kind_of(path) == FUM_FILE_OTHER;
}

// "dir/middle/name" when it is there, else NULL.
static char *try_model(const char *dir, const char *middle, const char *name) {
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s%s/%s", dir, middle, name);
    if (len < 0 || len >= PATH_BYTES || kind_of(path) == FUM_FILE_NONE)
        return NULL;
    return copy_text(path);
}

static char *find_beside_program(const char *name) {
    char dir[PATH_BYTES], build_file[PATH_BYTES + 16];
    if (!program_folder(dir))
        return NULL;
    for (int level = 0; level < LEVELS_UP; level++) {
        char *found = try_model(dir, "/share/fumarole/models", name);
        snprintf(build_file, sizeof build_file, "%s/meson.build", dir);
        if (!found && kind_of(build_file) != FUM_FILE_NONE)
            found = try_model(dir, "/models", name);
        char *slash = strrchr(dir, '/');
        if (found || !slash || slash == dir)
            return found;
        *slash = 0;
    }
    return NULL;
}

int cli_find_model(const char *name, char **path) {
    const char *folder = getenv("FUMAROLE_MODELS");
    bool shipped = name == NULL;
    *path = NULL;
    if (shipped)
        name = "emoji";
    else if (may_exist(name))
        *path = copy_text(name);
    bool plain_name = !strpbrk(name, "/\\") && strcmp(name, "..") != 0 && *name;
    if (!*path && plain_name && folder && *folder)
        *path = try_model(folder, "", name);
    if (!*path && plain_name)
        *path = find_beside_program(name);
    if (*path)
        return 0;
    if (shipped)
        return cli_fail("the shipped model \"emoji\" is neither in $FUMAROLE_MODELS nor beside the program; name a "
                        "model with -m");
    return cli_fail("%.200s: no such file or folder%s", name,
                    plain_name ? ", and no shipped model of that name" : ": give a diffusers folder or a checkpoint");
}
