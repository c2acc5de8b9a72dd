// SPDX-License-Identifier: MIT
// The writer and the reader of files: what they promise in fumarole/file.h.
#define _POSIX_C_SOURCE 200809L
#include "io/io.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "file-XXXXXX";
static struct fum_error err;

static int enter(void **state) {
    (void)state;
    const char *root = getenv("FUMAROLE_CACHE");
    if (root && (fum_path_make_dirs(root, NULL) || chdir(root))) return 1;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : 1;
}

static int leave(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", folder, folder);
    return chdir("..") || system(command);
}

static void put(const char *path, const char *text) {
    write_file(path, text, strlen(text));
}

static void assert_holds(const char *path, const char *wanted) {
    char *text = NULL;
    assert_ok(fum_file_read(path, 1 << 20, &text, NULL, &err), err);
    assert_string_equal(text, wanted);
    fum_free(text);
}

static void save(const char *path, const char *text) {
    assert_ok(fum_file_save(path, text, strlen(text), &err), err);
    assert_holds(path, text);
}

static void refuses(const char *path, const char *why) {
    fum_file_writer *w = NULL;
    assert_int_equal(fum_file_begin(&w, path, &err), FUM_ERR_IO);
    assert_null(w);
    assert_contains(err.text, why);
    assert_int_equal(fum_file_check(path, &err), FUM_ERR_IO);
}

static int entries(const char *path) {
    int count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir)) count++;
    closedir(dir);
    return count - 2;
}

static mode_t mode_of(const char *path) {
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode;
}

static void appears_whole(void **state) {
    (void)state;
    static char large[200000];
    fum_file_writer *w = NULL;
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(mkdir("whole", 0777), 0);
    put("whole/a", "old");
    assert_ok(fum_file_begin(&w, "whole/a", &err), err);
    assert_ok(fum_file_write(w, "begin ", 6, &err), err);
    assert_ok(fum_file_write(w, large, sizeof large - 1, &err), err);
    assert_holds("whole/a", "old");
    assert_int_equal(entries("whole"), 2);
    fum_file_abort(&w);
    assert_holds("whole/a", "old");
    assert_int_equal(entries("whole"), 1);
    save("whole/a", large);
    save("whole/a", "");
    save("whole/b", "new");
    assert_int_equal(entries("whole"), 2);
    assert_ok(fum_file_check("whole/c", &err), err);
    assert_ok(fum_file_check("whole/b", &err), err);
    assert_int_equal(entries("whole"), 2);
    assert_holds("whole/b", "new");
}

static void keeps_the_mode(void **state) {
    (void)state;
    struct stat st;
    mode_t mask = umask(022);
    put("mode", "old");
    assert_int_equal(chmod("mode", 0600), 0);
    save("mode", "new");
    assert_int_equal(mode_of("mode"), S_IFREG | 0600);
    save("fresh", "new");
    assert_int_equal(mode_of("fresh"), S_IFREG | 0644);
    umask(mask);
    // Other hard links keep the old bytes.
    assert_int_equal(link("mode", "other"), 0);
    save("mode", "newer");
    assert_holds("other", "new");
    assert_int_equal(stat("mode", &st), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(chmod("mode", 0400), 0);
    if (geteuid() != 0) refuses("mode", "Permission denied");
}

static void follows_named_links(void **state) {
    (void)state;
    assert_int_equal(mkdir("links", 0777), 0);
    put("links/file", "old");
    assert_int_equal(symlink("file", "links/one"), 0);
    assert_int_equal(symlink("links/one", "two"), 0);
    save("two", "new");
    assert_holds("links/file", "new");
    assert_true(S_ISLNK(mode_of("two")) && S_ISLNK(mode_of("links/one")));
    assert_int_equal(symlink("made", "links/dangling"), 0);
    save("links/dangling", "made");
    assert_true(S_ISREG(mode_of("links/made")));
    assert_int_equal(symlink("nowhere/made", "links/lost"), 0);
    refuses("links/lost", "No such file");
    assert_int_equal(symlink("loop", "links/loop"), 0);
    refuses("links/loop", "levels of symbolic links");
}

static void own_files_replace_links_and_pipes(void **state) {
    (void)state;
    static const char *const names[] = {"own/link", "own/pipe", "own/new"};
    put("victim", "precious");
    assert_int_equal(mkdir("own", 0777), 0);
    assert_int_equal(symlink("../victim", "own/link"), 0);
    assert_int_equal(mkfifo("own/pipe", 0666), 0);
    for (int i = 0; i < 3; i++) {
        fum_file_writer *w = NULL;
        assert_ok(fum_file_begin_own(&w, names[i], &err), err);
        assert_ok(fum_file_write(w, "cache", 5, &err), err);
        assert_ok(fum_file_commit(&w, &err), err);
        assert_true(S_ISREG(mode_of(names[i])));
        assert_holds(names[i], "cache");
    }
    assert_holds("victim", "precious");
    fum_file_writer *w = NULL;
    assert_int_equal(mkdir("own/folder", 0777), 0);
    assert_int_equal(fum_file_begin_own(&w, "own/folder", &err), FUM_ERR_IO);
}

static void long_names_fit(void **state) {
    (void)state;
    char name[300];
    for (size_t n = 240; n <= 255; n++) {
        memset(name, 'n', n);
        name[n] = 0;
        save(name, "long");
        assert_int_equal(unlink(name), 0);
    }
    memset(name, 'n', 256);
    name[256] = 0;
    refuses(name, "name too long");
}

static void missing_folders_are_made(void **state) {
    (void)state;
    assert_ok(fum_file_check("made/deep/er/file", &err), err);
    assert_int_equal(access("made", F_OK), -1); // the check leaves nothing behind
    save("made/deep/er/file", "text");
    assert_ok(fum_file_check("made/other/file", &err), err);
    assert_int_equal(entries("made"), 1);
    refuses("made/deep/er/file/below", "Not a directory");
    refuses("made", "it is a folder");
    refuses("made/", "it is a folder");
    refuses("unmade/", "it is a folder");
}

static void folders_that_may_not_be_written(void **state) {
    (void)state;
    if (geteuid() == 0) skip(); // root may write everywhere
    assert_int_equal(mkdir("shut", 0777), 0);
    put("shut/file", "old");
    assert_int_equal(chmod("shut", 0555), 0);
    refuses("shut/new", "Permission denied");
    save("shut/file", "in place");
    assert_ok(fum_file_check("shut/file", &err), err);
    assert_holds("shut/file", "in place");
}

static void pipes_and_devices_are_written_through(void **state) {
    (void)state;
    char bytes[8] = {0};
    assert_ok(fum_file_save("/dev/null", "x", 1, &err), err);
    assert_int_equal(mkfifo("pipe", 0666), 0);
    assert_ok(fum_file_check("pipe", &err), err); // does not wait for a reader
    int fd = open("pipe", O_RDONLY | O_NONBLOCK);
    assert_ok(fum_file_save("pipe", "through", 7, &err), err);
    assert_int_equal(read(fd, bytes, 7), 7);
    assert_string_equal(bytes, "through");
    close(fd);
    assert_true(S_ISFIFO(mode_of("pipe")));
    refuses("/dev/null/x", "Not a directory");
}

// Two writers of one file do not meet; the last one to finish wins.
static void writers_do_not_meet(void **state) {
    (void)state;
    fum_file_writer *w[2] = {NULL};
    for (int i = 0; i < 2; i++) {
        assert_ok(fum_file_begin(&w[i], "shared", &err), err);
        assert_ok(fum_file_write(w[i], i ? "second" : "first", i ? 6 : 5, &err), err);
    }
    assert_ok(fum_file_commit(&w[1], &err), err);
    assert_holds("shared", "second");
    assert_ok(fum_file_commit(&w[0], &err), err);
    assert_holds("shared", "first");
}

static void removes_what_dead_programs_left(void **state) {
    (void)state;
    static const char *const names[] = {
        "stale/.fumarole-0123456789abcdef.part", "stale/.fumarole-00000000deadbeef.part",
        "stale/.fumarole-0000000000000001.part", "stale/.fumarole-mine.part", "stale/out.png.part"};
    enum { DEAD, LOCKED, YOUNG, COUNT = 5 };
    struct timespec old[2] = {{.tv_sec = time(NULL) - 100000}, {.tv_sec = time(NULL) - 100000}};
    assert_int_equal(mkdir("stale", 0777), 0);
    for (int i = 0; i < COUNT; i++) {
        put(names[i], "unfinished");
        if (i != YOUNG) assert_int_equal(utimensat(AT_FDCWD, names[i], old, 0), 0);
    }
    int fd = open(names[LOCKED], O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    fum_file_clean("stale/out.png");
    for (int i = 0; i < COUNT; i++) assert_int_equal(access(names[i], F_OK), i == DEAD ? -1 : 0);
    close(fd);
}

static bool same(const char *a, const char *b) {
    struct fum_file_identity x, y;
    if (!fum_file_identify(a, &x) || !fum_file_identify(b, &y)) return false;
    return x.device == y.device && x.file == y.file && x.name == y.name;
}

static void knows_the_same_file(void **state) {
    (void)state;
    assert_int_equal(mkdir("same", 0777), 0);
    put("same/a", "");
    assert_int_equal(link("same/a", "same/hard"), 0);
    assert_int_equal(symlink("a", "same/soft"), 0);
    assert_int_equal(symlink("same", "same-too"), 0);
    assert_true(same("same/a", "same/a") && same("same/a", "./same//a") &&
                same("same/a", "same/../same/a"));
    assert_true(same("same/a", "same/hard") && same("same/soft", "same/hard") &&
                same("same-too/a", "same/a"));
    assert_true(same("same/new", "same-too/./new") && same("new/x/y", "./new//x/./y") &&
                same("-", "-"));
    assert_false(same("same/a", "same/new") || same("same/new", "same/new2") ||
                 same("new/x", "new/y"));
    assert_false(same("same/a", "-") || same("/dev/null", "/dev/null"));
}

static void reading_never_waits(void **state) {
    (void)state;
    struct fum_file *file = NULL;
    char *text = NULL;
    enum fum_file_kind kind;
    if (access("pipe", F_OK)) assert_int_equal(mkfifo("pipe", 0666), 0);
    assert_int_equal(fum_file_open(&file, "pipe", &err), FUM_ERR_IO);
    assert_contains(err.text, "not a regular file");
    assert_int_equal(fum_file_read("/dev/zero", 100, &text, NULL, &err), FUM_ERR_IO);
    assert_int_equal(fum_file_read(".", 100, &text, NULL, &err), FUM_ERR_IO);
    assert_contains(err.text, "it is a folder");
    assert_ok(fum_file_look("pipe", &kind, &err), err);
    assert_int_equal(kind, FUM_FILE_OTHER);
    assert_ok(fum_file_look("not-there", &kind, &err), err);
    assert_int_equal(kind, FUM_FILE_NONE);
    if (geteuid() == 0) return;
    assert_int_equal(mkdir("closed", 0777), 0);
    put("closed/file", "");
    assert_int_equal(chmod("closed", 0), 0);
    assert_int_equal(fum_file_look("closed/file", &kind, &err), FUM_ERR_IO);
    assert_contains(err.text, "Permission denied");
    assert_true(fum_path_may_exist("closed/file"));
}

static void a_file_that_shrinks_is_an_error(void **state) {
    (void)state;
    struct fum_file *file = NULL;
    uint8_t bytes[8192];
    memset(bytes, 1, sizeof bytes);
    write_file("shrinks", bytes, sizeof bytes);
    assert_ok(fum_file_open(&file, "shrinks", &err), err);
    assert_int_equal(fum_file_size(file), sizeof bytes);
    assert_ok(fum_file_read_at(file, 1, sizeof bytes - 1, bytes, &err), err);
    assert_int_equal(truncate("shrinks", 5000), 0);
    assert_int_equal(fum_file_read_at(file, 0, sizeof bytes, bytes, &err), FUM_ERR_IO);
    assert_contains(err.text, "it now has 5000 bytes, not 8192");
    fum_file_close(&file);
    assert_null(file);
}

// However long a path is, an error keeps its reason.
static void long_paths_keep_the_reason(void **state) {
    (void)state;
    char path[3000], all[3100];
    for (size_t i = 0; i < sizeof path - 1; i++) path[i] = i % 20 ? 'p' : '/';
    path[sizeof path - 1] = 0;
    fum_error_set(&err, FUM_ERR_IO, "cannot open %s: Permission denied", path);
    assert_true(strlen(err.text) < sizeof err.text);
    assert_contains(err.text, "cannot open /ppppppppppppppppppp/");
    assert_contains(err.text, "...");
    assert_contains(err.text, ": Permission denied");
    fum_error_set(&err, FUM_ERR_IO, "%s: the part unet (X) has no folder %s; get it again", path,
                  path);
    assert_contains(err.text, "...");
    assert_contains(err.text, ": the part unet (X) has no folder /ppp");
    assert_contains(err.text, "; get it again");
    fum_error_set(&err, FUM_ERR_FORMAT, "no JSON near byte 5");
    fum_error_prefix(&err, "%s", path);
    assert_contains(err.text, ": no JSON near byte 5");
    // Characters stay whole.
    memset(all, 0, sizeof all);
    for (int i = 0; i < 1000; i++) memcpy(all + 3 * i, "\xe2\x82\xac", 3);
    fum_error_set(&err, FUM_ERR_IO, "%s: no", all);
    const char *dots = strstr(err.text, "...");
    assert_non_null(dots);
    assert_int_equal((dots - err.text) % 3, 0);
    assert_memory_equal(dots + 3, "\xe2\x82\xac", 3);
}

// A full disk and a file that may not grow have a code of their own.
static void full_disks_are_told_apart(void **state) {
    (void)state;
    static const char bytes[5000];
    struct rlimit whole, small;
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(fum_file_save("/dev/full", bytes, sizeof bytes, &err), FUM_ERR_NO_SPACE);
        assert_int_equal(err.code, FUM_ERR_NO_SPACE);
        assert_contains(err.text, strerror(ENOSPC));
        assert_int_equal(fum_file_append("/dev/full", bytes, 1, NULL), FUM_ERR_NO_SPACE);
    }
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
    small = (struct rlimit){.rlim_cur = 4096, .rlim_max = whole.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum fum_result limited = fum_file_save("limited", bytes, sizeof bytes, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
    assert_int_equal(limited, FUM_ERR_NO_SPACE);
    assert_int_equal(access("limited", F_OK), -1);
    put("file", "");
    assert_int_equal(fum_file_save("file/limited", bytes, 1, NULL), FUM_ERR_IO);
    assert_string_equal(fum_result_name(FUM_ERR_NO_SPACE), "no space on the disk");
}

// A file that changes twice within a second has two stamps, even at the same size.
static void stamps_count_nanoseconds(void **state) {
    (void)state;
    struct fum_file_stamp stamps[2];
    put("stamped", "same");
    for (int i = 0; i < 2; i++) {
        const struct timespec times[2] = {{.tv_sec = 1000},
                                          {.tv_sec = 1000, .tv_nsec = 1 + i * 500000000L}};
        struct fum_file *file = NULL;
        assert_int_equal(utimensat(AT_FDCWD, "stamped", times, 0), 0);
        assert_ok(fum_file_open(&file, "stamped", &err), err);
        stamps[i] = fum_file_get_stamp(file);
        fum_file_close(&file);
    }
    assert_true(stamps[0].device == stamps[1].device && stamps[0].file == stamps[1].file);
    assert_true(stamps[0].modified < stamps[1].modified);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appears_whole),
        cmocka_unit_test(keeps_the_mode),
        cmocka_unit_test(follows_named_links),
        cmocka_unit_test(own_files_replace_links_and_pipes),
        cmocka_unit_test(long_names_fit),
        cmocka_unit_test(missing_folders_are_made),
        cmocka_unit_test(folders_that_may_not_be_written),
        cmocka_unit_test(pipes_and_devices_are_written_through),
        cmocka_unit_test(writers_do_not_meet),
        cmocka_unit_test(removes_what_dead_programs_left),
        cmocka_unit_test(knows_the_same_file),
        cmocka_unit_test(reading_never_waits),
        cmocka_unit_test(a_file_that_shrinks_is_an_error),
        cmocka_unit_test(long_paths_keep_the_reason),
        cmocka_unit_test(stamps_count_nanoseconds),
        cmocka_unit_test(full_disks_are_told_apart),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
