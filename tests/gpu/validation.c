// SPDX-License-Identifier: MIT
// The validation layer with synchronisation validation has nothing to say about a chain that uses
// everything.
#include "silu.h"

static fum_device *open_validated(unsigned without, struct lines *lines) {
    struct fum_error err = {0};
    static struct fum_log log;
    log = (struct fum_log){keep_line, lines, FUM_LOG_WARN};
    fum_device *device = NULL;
    lines->text[0] = 0;
    struct fum_device_params params = {.cache_dir = "", .validate = true, .log = &log};
    enum fum_result result = fum_device_create_without(&device, &params, without, &err);
    if (result == FUM_ERR_UNSUPPORTED && !getenv("FUM_REQUIRE_DEVICE")) skip();
    ok(result, &err);
    return device;
}

static void chain(fum_device *device) {
    struct fum_error err = {0};
    enum { BYTES = 1 << 16 };
    uint8_t *data = calloc(BYTES, 1);
    fum_buffer *a = make_buffer(device, BYTES, "a"), *b = make_buffer(device, BYTES, "b"),
               *host = NULL;
    fum_buffer *empty = make_buffer(device, 0, "empty");
    ok(fum_buffer_create(&host, device, &(struct fum_buffer_params){64, FUM_BUFFER_HOST, "host"},
                         &err),
       &err);
    ok(fum_buffer_write(a, 0, data, BYTES, &err), &err);
    const fum_kernel *kernel = silu_kernel(device);
    fum_command *command = make_command(device, "chain");
    ok(fum_command_timestamp(command, 0, &err), &err);
    add_silu(command, kernel, at(a, 0), at(b, 0), BYTES);
    add_silu(command, kernel, at(b, 0), at(a, 0), BYTES / 2);
    add_silu(command, kernel, at(b, 0), at(b, 0), BYTES);
    add_silu(command, kernel, at(empty, 0), at(host, 0), 0);
    ok(fum_command_copy(command, &(struct fum_buffer_copy){.src = b, .dst = host, .bytes = 64},
                        &err),
       &err);
    ok(fum_command_copy(command, &(struct fum_buffer_copy){.src = host, .dst = a, .bytes = 64},
                        &err),
       &err);
    ok(fum_command_timestamp(command, 1, &err), &err);
    ok(fum_command_end(command, &err), &err);
    uint64_t ticket = 0;
    // not waiting between
    for (int i = 0; i < 3; i++) ok(fum_command_submit(command, &ticket, &err), &err);
    ok(fum_device_wait(device, ticket, &err), &err);
    double ns = 0;
    if (fum_device_get_info(device)->timestamp_bits)
        ok(fum_command_read_timestamp(command, 1, &ns, &err), &err);
    ok(fum_buffer_read(a, 0, data, BYTES, &err), &err);
    run(device, command);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_buffer_destroy(&b);
    fum_buffer_destroy(&host);
    fum_buffer_destroy(&empty);
    free(data);
}

static void the_validation_layer_has_no_complaint(void **state) {
    (void)state;
    static struct lines lines;
    const unsigned kinds[] = {0, FUM_WITHOUT_TIMELINE, FUM_WITHOUT_UNIFIED,
                              FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE | FUM_WITHOUT_STORAGE16};
    for (int i = 0; i < 4; i++) {
        fum_device *device = open_validated(kinds[i], &lines);
        chain(device);
        int messages = fum_device_validation_messages(device);
        fum_device_destroy(&device); // which may add messages to the log
        if (messages || lines.text[0]) fail_msg("%d messages: %s", messages, lines.text);
    }
}

// A command destroyed behind the back of the front half's checks: the layer is there and its
// messages are counted.
static void messages_of_the_layer_are_counted(void **state) {
    (void)state;
    static struct lines lines;
    fum_device *device = open_validated(0, &lines);
    struct fum_error err = {0};
    fum_buffer *a = make_buffer(device, 4096, "a");
    fum_command *command = make_command(device, "hazard");
    const fum_kernel *kernel = silu_kernel(device);
    add_silu(command, kernel, at(a, 0), at(a, 2048), 1024);
    command->tracker.count = 0; // forget the write, so that no barrier follows
    add_silu(command, kernel, at(a, 2048), at(a, 0), 1024);
    ok(fum_command_end(command, &err), &err);
    assert_true(fum_device_validation_messages(device) > 0);
    assert_non_null(strstr(lines.text, "SYNC-HAZARD"));
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_device_destroy(&device);
}

int main(void) {
    need_device();
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_validation_layer_has_no_complaint),
                                       cmocka_unit_test(messages_of_the_layer_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
