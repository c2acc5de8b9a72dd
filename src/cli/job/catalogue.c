// SPDX-License-Identifier: MIT
#include "catalogue_inner.h"

#include <stdlib.h>
#include <string.h>

// ---- hashes ----

static bool go_on(void *user) {
    struct catalogue *catalogue = user;
    return !atomic_load(&catalogue->stop);
}

static void *compute_hashes(void *user) {
    struct catalogue *catalogue = user;
    const struct catalogue_shelf *shelf = &catalogue->shelves[CATALOGUE_MODEL];
    for (size_t i = 0; i < shelf->count && go_on(catalogue); i++) {
        struct catalogue_row *row = shelf->rows[i];
        const struct fum_model_params params = {.path = row->entry.path};
        fum_model *model = NULL;
        char hash[65];
        if (!row->slow || fum_model_open(&model, &params, NULL)) continue;
        if (!fum_model_hash(model, hash, go_on, catalogue, NULL))
            catalogue_set_hash(catalogue, row, hash);
        fum_model_destroy(&model);
    }
    return NULL;
}

// ---- from outside ----

int catalogue_create(struct catalogue **catalogue, const struct catalogue_params *params) {
    struct catalogue *c = *catalogue = calloc(1, sizeof *c);
    if (!c) return cli_fail("out of memory");
    c->log = params->log;
    int status = catalogue_list(c, params);
    if (status) {
        catalogue_destroy(catalogue);
        return status;
    }
    c->running = !pthread_create(&c->thread, NULL, compute_hashes, c);
    return 0;
}

void catalogue_destroy(struct catalogue **catalogue) {
    struct catalogue *c = *catalogue;
    if (!c) return;
    atomic_store(&c->stop, true);
    if (c->running) pthread_join(c->thread, NULL);
    for (int kind = 0; kind < CATALOGUE_KINDS; kind++) {
        free(c->shelves[kind].rows);
        free(c->shelves[kind].folder);
    }
    for (size_t i = 0; i < c->num_made; i++) free(c->made[i]);
    for (size_t i = 0; i < c->num_owned; i++) free(c->owned[i]);
    free(c->made);
    free(c->owned);
    free(c);
    *catalogue = NULL;
}

const struct catalogue_entry *catalogue_at(const struct catalogue *catalogue,
                                           enum catalogue_kind kind, size_t index) {
    const struct catalogue_shelf *shelf = &catalogue->shelves[kind];
    return index < shelf->count ? &shelf->rows[index]->entry : NULL;
}

const char *catalogue_folder(const struct catalogue *catalogue, enum catalogue_kind kind) {
    return catalogue->shelves[kind].folder;
}

const struct catalogue_entry *catalogue_find(const struct catalogue *catalogue,
                                             enum catalogue_kind kind, const char *name) {
    const struct catalogue_shelf *shelf = &catalogue->shelves[kind];
    for (size_t i = 0; i < shelf->count; i++)
        if (strcmp(shelf->rows[i]->entry.name, name) == 0) return &shelf->rows[i]->entry;
    for (size_t i = 0; i < shelf->count; i++) {
        const struct catalogue_row *row = shelf->rows[i];
        if (cli_same_word(row->entry.name, name) || cli_same_word(row->entry.title, name) ||
            cli_same_word(row->file, name))
            return &row->entry;
    }
    return NULL;
}
