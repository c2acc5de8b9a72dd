// SPDX-License-Identifier: MIT
// Opens the module that calls MPI.
#include "exchange.h"

#include "../cli.h"

#include <fumarole/file.h>

#include <dlfcn.h>
#include <string.h>

// Where the module lies, from the program's folder: beside a program that is not installed, or
// among the installed libraries.
static const char *const places[] = {"fumarole-mpi.so", FUM_RANKS_MODULE};

// Stores the path of the module. Returns false if there is none.
static bool find_module(char *path, size_t size) {
    char dir[CLI_PATH_BYTES];
    enum fum_file_kind kind;
    if (!cli_program_dir(dir)) return false;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int length = snprintf(path, size, "%s/%s", dir, places[i]);
        if (length > 0 && (size_t)length < size && !fum_file_look(path, &kind, NULL) &&
            kind == FUM_FILE_REGULAR)
            return true;
    }
    return false;
}

const struct ranks_exchange *ranks_open_exchange(void) {
    char path[CLI_PATH_BYTES + 64];
    if (!find_module(path, sizeof path)) {
        cli_fail("a launcher started several processes, but the module for MPI is not installed: "
                 "no %s from the program's folder",
                 places[1]);
        return NULL;
    }
    // MPI's own plugins look for its symbols among the global ones.
    void *module = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    const struct ranks_exchange *exchange = module ? dlsym(module, RANKS_EXCHANGE_SYMBOL) : NULL;
    if (!exchange) cli_fail("cannot open the module for MPI: %s", dlerror());
    return exchange;
}
