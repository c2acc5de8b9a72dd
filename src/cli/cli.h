// SPDX-License-Identifier: MIT
// Declares what the subcommands share: how they are called, how they fail, what they read.
// Public API only.
#ifndef FUM_CLI_H
#define FUM_CLI_H

#include <fumarole/core.h>
#include <fumarole/device.h>

#include "foreign.h"
#include "options.h"

#include <cjson/cJSON.h>

#include <signal.h>
#include <stdio.h>

// Exit statuses: 0 is a success.
enum {
    CLI_FAILED = 1, // one line on standard error says what, where, and what to do
    CLI_USAGE = 2,  // wrong usage; for signals see cli_interrupted_status
};

struct cli_command {
    const char *name;
    const char *arguments; // after the name, in the usage line
    const char *summary;
    // printed below the options by --help, each line wrapped by itself; may be NULL
    const char *details;
    const struct cli_option *options;
    const struct cli_option *more;     // understood too, but not listed by --help; may be NULL
    const struct cli_foreign *foreign; // options of other tools; may be NULL
    // Arguments after the name. Returns an exit status.
    int (*run)(const struct cli_command *command, int argc, char **argv);
};

#define CLI_COMMAND(name) extern const struct cli_command cli_##name;
#include "commands.def"
#undef CLI_COMMAND

// Prints a piece of a line, or a line, escaped: see fum_text_escape. Newlines within the text are
// escaped too.
void cli_put(FILE *file, const char *fmt, ...) FUM_PRINTF(2, 3);
void cli_put_line(FILE *file, const char *fmt, ...) FUM_PRINTF(2, 3);
// Prints JSON that cJSON made, and a line feed. Escapes the control characters that cJSON leaves.
void cli_put_json(FILE *file, const char *json);

// Returns the start of an argument for a message: escaped, with "…" after it if it was cut.
struct cli_shown {
    char text[88];
};
struct cli_shown cli_show(const char *text);

// Names the place that the next failures of this thread are of, such as a line of a file. It is
// printed before their text. NULL: none. The text must stay until the next call.
void cli_set_place(const char *place);
// Keeps the text of the next failure of this thread, escaped, in place of printing it. Failures
// after the first are dropped. NULL: failures are printed again. It must stay until then.
struct cli_failure {
    char text[500]; // "": nothing failed
};
void cli_collect_failures(struct cli_failure *failure);
// Prints "fumarole: <text>" on standard error and returns CLI_FAILED.
int cli_fail(const char *fmt, ...) FUM_PRINTF(1, 2);
// Prints wrong usage, with a pointer to the command's --help. Returns CLI_USAGE.
int cli_misuse(const struct cli_command *command, const char *fmt, ...) FUM_PRINTF(2, 3);
// Prints the error of a library call that failed. Returns the exit status.
int cli_fail_result(enum fum_result result, const struct fum_error *err);

// Parses the command's options into `values`. Returns -1 to go on, or the exit status after --help,
// --version or an error. Other arguments stay in argv[0..*argc). One line reports options without
// effect.
int cli_read_options(const struct cli_command *command, int *argc, char **argv, void *values);

// Windows only: returns the program's arguments in UTF-8, for as long as it runs, and makes the
// console take UTF-8. Returns `argv` when memory is out.
char **cli_utf8_arguments(int *argc, char **argv);
// Windows only: stores the path of the program in UTF-8. Returns its length, or 0 if it is unknown
// or does not fit.
size_t cli_utf8_program(char *path, size_t size);

// Prints the program's name and version.
void cli_print_version(void);

// Returns a log that writes warnings (and with `verbose` everything) to standard error.
struct fum_log cli_log(bool verbose);

// Opens the device that `select` names (NULL: the best). Prints the error and returns NULL on
// failure; *status is then the exit status.
fum_device *cli_open_device(const char *select, const struct fum_log *log, int *status);

// Forces a variant of the kernels (NULL: nothing to do). Returns 0, or prints the error and returns
// an exit status.
int cli_force_variant(fum_device *device, const char *name);

// Makes Ctrl-C, SIGTERM, SIGHUP and SIGXFSZ set a flag, which cli_interrupted reads, instead of
// ending the program. A second signal ends it.
void cli_catch_interrupt(void);
bool cli_interrupted(void);
bool cli_cancel(void *user); // the same, with the signature of the library's callbacks
// Returns 128 and the number of the signal.
int cli_interrupted_status(void);
// Makes a second signal wait from true to false, so that no file is left half written.
void cli_hold_signals(bool hold);
// Lets a caught signal end a call that waits, such as a read from a silent pipe, from true to
// false. At other times such calls go on after it.
void cli_interrupt_reads(bool interrupt);

// Opens /dev/null for those of descriptors 0 to 2 that are closed. The first file opened would take
// their number, and get the program's text. First thing in main.
void cli_open_descriptors(void);
// Makes writing to a pipe whose reader is gone fail instead of ending the program.
void cli_ignore_pipes(void);
// Returns the exit status: that of the command, or a failure, printed, when its output was lost.
int cli_finish_output(int status);

// Parses "4GiB", "512MiB", "1.5G", plain bytes, or "auto". Returns 0 if it is no size.
uint64_t cli_parse_bytes(const char *text);

// Returns the choices of a --precision that says which storage types; NULL past the last.
const char *cli_storage_name(size_t index);
// Returns the mask 1 << dtype of such a choice; NULL: 0.
unsigned cli_storage_mask(const char *precision);

// The options that commands for one device share. Such a command's options begin with them.
struct cli_device_options {
    const char *device, *op, *precision, *variant;
    bool compile_only, verbose;
};
// Runs a command whose arguments are all options: parses them into `values`, opens the device and
// calls `work` with both. Returns an exit status.
int cli_run_on_device(const struct cli_command *command, int argc, char **argv, void *values,
                      int (*work)(void *values, fum_device *device));

// Stores the folder of the running program, with "/" between its parts and none at its end. Returns
// `path`, or NULL if the system does not report it.
enum { CLI_PATH_BYTES = 4096 };
const char *cli_program_dir(char path[CLI_PATH_BYTES]);

// Returns "dir/name", or a copy of `text`, to free with free(); NULL when out of memory.
char *cli_copy(const char *text);
char *cli_join(const char *dir, const char *name);

// Opens a file of text to read. Prints the error and returns NULL on failure. A signal ends the
// wait for a pipe without a writer.
FILE *cli_open_text(const char *path);

// Keeps other callers out of a folder until it is unlocked or the process ends, as far as the file
// system has locks. A folder that is not there is not locked: *lock is -1 then. Returns false if
// another process has it.
bool cli_lock_folder(const char *dir, int *lock);
void cli_unlock_folder(int *lock);

// Returns the whole of a file (NULL: standard input), at most `limit` bytes, without a byte order
// mark and NUL-terminated. Free it with free(). Prints the error and returns NULL on failure.
char *cli_read_text(const char *path, size_t limit, size_t *bytes);

// Cuts off the line end that files and echo leave. Returns the remaining length.
size_t cli_trim_newline(char *text, size_t bytes);

// True if the path leads to a device or pipe, where writing may wait.
bool cli_is_special(const char *path);

// Lines of a stream, each up to 64 MiB. Zero to begin with; free `text` at the end.
struct cli_line {
    char *text; // without its newline and the stream's byte order mark; may hold NUL bytes
    size_t bytes, capacity;
    int number;          // from 1
    const char *failure; // why reading ended before the end of the stream, or NULL
};
// Reads the next line, which the last one may be without a newline. False at the end of the stream
// and on failure.
bool cli_read_line(FILE *file, struct cli_line *line);

// How parsing JSON ended.
enum cli_json { CLI_JSON_GOOD, CLI_JSON_BAD, CLI_JSON_NO_MEMORY };
// Lets cli_json_parse see refused memory. Once, before the first use of JSON.
void cli_json_init(void);
// Begins an object that is made of many calls of this thread. cli_json_refused: memory was refused
// to one since.
void cli_json_begin(void);
bool cli_json_refused(void);
// Parses the value at the start of a text; *end: where it ends, or where it is damaged. Free with
// cJSON_Delete.
enum cli_json cli_json_parse(cJSON **json, const char *text, size_t bytes, size_t *end);
// Prints a value in one line as cJSON_PrintUnformatted does, but with all digits of whole numbers.
// cJSON may round those above 10^15, such as random seeds. The value is as before afterwards.
char *cli_json_print(cJSON *json);
// Makes a value the only member of that name, and takes it over. False: memory is out, or the value
// or the object is NULL; the value is freed then.
bool cli_json_put(cJSON *object, const char *name, cJSON *value);

#endif
