// SPDX-License-Identifier: MIT
// Folders that cannot be listed to their end are errors, and no shorter lists.
#define _GNU_SOURCE

#include "test.h"

#include "cli/job/catalogue.h"
#include "cli/serve/store.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/fumarole-unreadable-XXXXXX";
static int entries_left; // until reading a folder fails

// Takes the place of the C library's, which the code under test calls.
struct dirent *readdir(DIR *dir) {
    static struct dirent entry;
    (void)dir;
    if (entries_left-- > 0) {
        snprintf(entry.d_name, sizeof entry.d_name, ".%d", entries_left);
        return &entry;
    }
    errno = EIO;
    return NULL;
}

static void check_message(const struct cli_failure *failure, const char *name) {
    assert_non_null(strstr(failure->text, name));
    assert_non_null(strstr(failure->text, strerror(EIO)));
}

static void the_catalogue_is_refused(void **state) {
    (void)state;
    struct catalogue *catalogue = NULL;
    struct cli_failure failure = {0};
    entries_left = 2;
    cli_collect_failures(&failure);
    int status = catalogue_create(&catalogue, &(struct catalogue_params){.lora_dir = root});
    cli_collect_failures(NULL);
    assert_int_not_equal(status, 0);
    check_message(&failure, root);
    catalogue_destroy(&catalogue);
}

static void the_store_is_refused(void **state) {
    (void)state;
    struct store *store = NULL;
    struct cli_failure failure = {0};
    char dir[64], command[100];
    snprintf(dir, sizeof dir, "%s/state", root);
    entries_left = 2;
    cli_collect_failures(&failure);
    int status = store_open(&store, dir, NULL);
    cli_collect_failures(NULL);
    assert_int_not_equal(status, 0);
    assert_null(store);
    check_message(&failure, "/state/pictures");
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static int make_root(void **state) {
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
    (void)state;
    return rmdir(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_catalogue_is_refused),
        cmocka_unit_test(the_store_is_refused),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
