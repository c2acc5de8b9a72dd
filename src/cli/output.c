#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The place of a "%d", "%3d" or "%03d" and its width; NULL when there is none. *after is what follows it.
static const char *find_number(const char *pattern, const char **after, int *width, bool *zeros) {
    for (const char *p = strchr(pattern, '%'); p; p = strchr(p + 1, '%')) {
        const char *q = p + 1;
        *zeros = *q == '0';
        *width = 0;
        while (*q >= '0' && *q <= '9' && *width < 10)
            *width = *width * 10 + (*q++ - '0');
        if (*q == 'd') {
            *after = q + 1;
            return p;
        }
    }
    return NULL;
}

static bool ends_in_png(const char *path) {
    size_t len = strlen(path);
    return len > 4 && path[len - 4] == '.' && (path[len - 3] | 32) == 'p' && (path[len - 2] | 32) == 'n' &&
           (path[len - 1] | 32) == 'g';
}

int cli_output_check_pattern(const struct cli_command *command, const char *pattern) {
    const char *after, *again;
    int width;
    bool zeros;
    if (!ends_in_png(pattern))
        return cli_misuse(command, "--output must end in .png, not \"%.80s\"", pattern);
    if (find_number(pattern, &after, &width, &zeros) && find_number(after, &again, &width, &zeros))
        return cli_misuse(command, "--output holds more than one number: \"%.80s\"", pattern);
    return 0;
}

char *cli_output_name(const char *pattern, int index, int number) {
    size_t size = strlen(pattern) + 128;
    char *name = malloc(size);
    const char *after;
    int width;
    bool zeros;
    const char *place = find_number(pattern, &after, &width, &zeros);
    if (!name)
        return NULL;
    if (place && zeros)
        snprintf(name, size, "%.*s%0*d%s", (int)(place - pattern), pattern, width, number, after);
    else if (place)
        snprintf(name, size, "%.*s%*d%s", (int)(place - pattern), pattern, width, number, after);
    else if (index > 0)
        snprintf(name, size, "%.*s_%d%s", (int)strlen(pattern) - 4, pattern, number,
                 pattern + strlen(pattern) - 4);
    else
        snprintf(name, size, "%s", pattern);
    return name;
}

int cli_output_check_writable(const char *path) {
    if (cli_is_folder(path))
        return cli_fail("cannot write %s: it is a folder", path);
    if (cli_is_special(path)) // opening a pipe would wait for its reader
        return 0;
    FILE *file = fopen(path, "rb");
    bool there = file != NULL;
    if (file)
        fclose(file);
    file = fopen(path, there ? "rb+" : "ab");
    if (!file)
        return cli_fail("cannot write %s: %s", path, strerror(errno));
    fclose(file);
    if (!there)
        remove(path);
    return 0;
}
