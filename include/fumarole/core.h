// SPDX-License-Identifier: MIT
// Declares results, errors, logging and element types, on which every other header of fumarole
// builds.
//
// Nothing in the library calls exit() or abort() on input, and nothing keeps state outside the
// objects that the caller holds. Functions that can fail return an enum fum_result. Those that read
// outside bytes or use a device also fill a struct fum_error, which may be NULL.
//
// Pointers must not be NULL unless a comment allows it. A required path, name, text or callback of
// a call or its parameters that is NULL is FUM_ERR_ARG, and the error names it. Look-ups of such a
// name find nothing.
//
// A function that creates an object stores NULL in its pointer on error. The matching function that
// destroys it accepts a pointer to NULL, and sets it to NULL.
#ifndef FUMAROLE_CORE_H
#define FUMAROLE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32) && defined(FUM_BUILD)
#define FUM_API __declspec(dllexport)
#elif defined(_WIN32)
#define FUM_API
#elif defined(__GNUC__)
#define FUM_API __attribute__((visibility("default")))
#else
#define FUM_API
#endif

#if defined(__MINGW32__)
#define FUM_PRINTF(fmt_index, first_arg) __attribute__((format(gnu_printf, fmt_index, first_arg)))
#elif defined(__GNUC__)
#define FUM_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#else
#define FUM_PRINTF(fmt_index, first_arg)
#endif

// The number of the interface. It grows with every change that breaks programs built before. Such
// are the layout of a public struct, the parameters of a function, and the value of a constant.
// Added functions keep it. It is the library's soname (libfumarole.so.FUM_API_VERSION). So a
// program never loads a library of another number, and public structs need no size field. Programs
// that open the library themselves compare it with fum_api_version().
#define FUM_API_VERSION 6
// Returns the FUM_API_VERSION that the loaded library was built with.
FUM_API int fum_api_version(void);
// Returns the version of the loaded library, "major.minor.patch". Never NULL.
FUM_API const char *fum_version(void);

// How a call ended. Codes steer programs; struct fum_error informs people.
enum fum_result {
    FUM_OK = 0,
    FUM_ERR_ARG = -1,         // the caller's arguments
    FUM_ERR_NOMEM = -2,       // host or device memory ran out
    FUM_ERR_IO = -3,          // a file could not be read or written
    FUM_ERR_FORMAT = -4,      // a file's bytes are not what its format says
    FUM_ERR_UNSUPPORTED = -5, // well formed, but this build or device cannot do it
    FUM_ERR_DEVICE = -6,      // the driver failed, or the device was lost
    FUM_ERR_CANCELLED = -7,   // a callback requested to stop
    FUM_ERR_NO_SPACE = -8,    // a full disk, or a quota or limit of a file's size, stopped a write
};

// Returns the name of a result, such as "out of memory". Never NULL.
FUM_API const char *fum_result_name(enum fum_result result);

// Describes a failure in one line: what failed, where, and what to do. The text is valid UTF-8
// without control characters, see fum_text_escape. A long text has "..." in place of its middle.
// The function that failed fills it; success leaves it unchanged.
struct fum_error {
    enum fum_result code;
    char text[504];
};

enum fum_log_level {
    FUM_LOG_ERROR = 1,
    FUM_LOG_WARN = 2,
    FUM_LOG_INFO = 3,
    FUM_LOG_DEBUG = 4,
};

// Receives messages. `fn` gets one line without its newline, escaped, on the thread that caused it.
// A NULL pointer to this struct, or a NULL `fn`, is silence. `level` is the most detailed level to
// pass on; 0: FUM_LOG_WARN.
struct fum_log {
    void (*fn)(void *user, enum fum_log_level level, const char *message);
    void *user;
    enum fum_log_level level;
};

// Writes text[0..bytes) into out[size] so that a terminal or a log shows it in one line and acts on
// none of it. Control characters (C0, DEL, C1), those of lines and of writing direction, and
// invalid UTF-8 become \n, \x1b, \u009b and the like. Other text stays as it is, so a text escaped
// twice is the same. Cuts before the first character that does not fit, and ends with NUL unless
// size is 0, when out may be NULL. Returns the length of the whole in bytes. Messages of the
// library are escaped already; names and texts that come from a model, a driver or a file are not.
FUM_API size_t fum_text_escape(char *out, size_t size, const char *text, size_t bytes);

// Returns the edits (insert, delete, replace, swap neighbours) that make `word` a misspelling of
// `other`, or INT_MAX if it looks like another word.
FUM_API int fum_text_misspelling(const char *word, const char *other);
// Returns the name that `word` is a misspelling of, or NULL. `name` returns NULL past the last.
FUM_API const char *fum_text_nearest(const char *word, const char *(*name)(size_t index));

// Element types. Kernels store activations and weights as one of the first three.
enum fum_dtype {
    FUM_F32 = 0,
    FUM_F16,
    FUM_BF16,
    FUM_I32,
    FUM_F64,
    FUM_I64,
    FUM_I16,
    FUM_I8,
    FUM_U8,
    FUM_BOOL,
    FUM_F8_E4M3,
    FUM_F8_E5M2,
    FUM_DTYPE_COUNT,
    FUM_DTYPE_UNKNOWN = FUM_DTYPE_COUNT, // in files: an unsupported type, of size 0
};

// Returns the name of a type, such as "f32" or "bf16". Never NULL.
FUM_API const char *fum_dtype_name(enum fum_dtype dtype);
// Returns the bytes of one element. 0: the size is unknown.
FUM_API size_t fum_dtype_size(enum fum_dtype dtype);

// Limits of a picture that is drawn, written or read: pixels of a side, and of the whole.
enum { FUM_MAX_SIDE = 16384, FUM_MAX_PIXELS = 64 << 20 };

// Returns the seconds of a clock that never goes back, which trace events use, too.
FUM_API double fum_time_now(void);

#ifdef __cplusplus
}
#endif

#endif
