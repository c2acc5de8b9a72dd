// SPDX-License-Identifier: MIT
#include "options_store.h"

#include "../cli.h"

#include <fumarole/file.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 1 << 20 };

struct options {
    pthread_mutex_t mutex;
    char *path;
    cJSON *values; // those that were set
};

static cJSON *read_values(const char *path) {
    struct fum_error err = {0};
    enum fum_file_kind kind = FUM_FILE_NONE;
    size_t bytes = 0;
    if (fum_file_look(path, &kind, &err) != FUM_OK || kind != FUM_FILE_REGULAR)
        return cJSON_CreateObject();
    char *text = cli_read_text(path, MAX_FILE, &bytes);
    cJSON *values = text ? cJSON_ParseWithLength(text, bytes) : NULL;
    free(text);
    if (cJSON_IsObject(values)) return values;
    cJSON_Delete(values);
    return NULL;
}

int options_open(struct options **options, const char *state_dir) {
    struct options *o = *options = calloc(1, sizeof *o);
    if (!o || pthread_mutex_init(&o->mutex, NULL) != 0) {
        free(o);
        *options = NULL;
        return cli_fail("no memory for the options");
    }
    o->path = cli_join(state_dir, "options.json");
    if (!o->path) return cli_fail("no memory for the options");
    o->values = read_values(o->path);
    if (o->values) return 0;
    return cli_fail("%s does not hold options as JSON; remove it to begin with the usual ones",
                    o->path);
}

void options_close(struct options **options) {
    struct options *o = *options;
    if (!o) return;
    pthread_mutex_destroy(&o->mutex);
    cJSON_Delete(o->values);
    free(o->path);
    free(o);
    *options = NULL;
}

// Returns the kept values with the changes, or NULL: memory is out.
static cJSON *merge(const cJSON *values, const cJSON *changes) {
    cJSON *merged = cJSON_Duplicate(values, true);
    const cJSON *change;
    bool good = merged != NULL;
    cJSON_ArrayForEach(change, changes) {
        if (!good) break;
        good = cli_json_put(merged, change->string, cJSON_Duplicate(change, true));
    }
    if (good) return merged;
    cJSON_Delete(merged);
    return NULL;
}

enum fum_result options_keep(struct options *o, const cJSON *changes, struct fum_error *err) {
    pthread_mutex_lock(&o->mutex);
    cJSON *merged = merge(o->values, changes);
    char *text = merged ? cJSON_Print(merged) : NULL;
    enum fum_result result = text ? fum_file_save(o->path, text, strlen(text), err) : FUM_ERR_NOMEM;
    if (result == FUM_OK) {
        cJSON *old = o->values;
        o->values = merged;
        merged = old;
    }
    pthread_mutex_unlock(&o->mutex);
    cJSON_free(text);
    cJSON_Delete(merged);
    return result;
}

cJSON *options_copy(struct options *o) {
    pthread_mutex_lock(&o->mutex);
    cJSON *copy = cJSON_Duplicate(o->values, true);
    pthread_mutex_unlock(&o->mutex);
    return copy;
}
