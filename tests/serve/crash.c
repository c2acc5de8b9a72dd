// SPDX-License-Identifier: MIT
// Faults leave a mark, that of a full stack too.
#define _POSIX_C_SOURCE 200809L

#include "test.h"

#include "cli/serve/crash.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/fumarole-crash-XXXXXX";
static char path[64];

// Fills the stack. The depth is more than any stack has room for.
static int fill_stack(volatile int depth) {
    volatile char frame[4096];
    frame[0] = (char)depth;
    return depth > 0 ? fill_stack(depth - 1) + frame[0] : 0;
}

static void *overflow(void *user) {
    (void)user;
    crash_watch_thread();
    fill_stack(1 << 24);
    crash_watch_thread_end();
    return NULL;
}

static void *fault(void *user) {
    (void)user;
    crash_watch_thread();
    raise(SIGSEGV);
    return NULL;
}

static void *go_on(void *user) {
    (void)user;
    crash_watch_thread();
    crash_watch_thread_end();
    crash_watch_thread_end();
    return NULL;
}

// Runs a thread in a process of its own, and returns true if that process was ended by a fault.
static bool crashes(void *(*run)(void *user)) {
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t thread;
        const struct rlimit none = {0};
        setrlimit(RLIMIT_CORE, &none);
        if (!crash_watch(path) || pthread_create(&thread, NULL, run, NULL)) _exit(0);
        pthread_join(thread, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0; // sanitizers end it with a status
}

static void a_full_stack_leaves_a_mark(void **state) {
    (void)state;
    assert_true(crashes(overflow));
    assert_int_equal(unlink(path), 0);
}

static void other_faults_leave_one_too(void **state) {
    (void)state;
    assert_true(crashes(fault));
    assert_int_equal(unlink(path), 0);
}

static void no_fault_leaves_none(void **state) {
    (void)state;
    assert_false(crashes(go_on));
    assert_int_equal(access(path, F_OK), -1);
}

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/crashed", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_stack_leaves_a_mark),
        cmocka_unit_test(other_faults_leave_one_too),
        cmocka_unit_test(no_fault_leaves_none),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
