// SPDX-License-Identifier: MIT
// Reads and writes files on Windows. Paths are UTF-8 in the library and UTF-16 in the system's
// calls.
#include "base/file_system.h"
#include "base/macros.h"

#include "base/error.h"
#include "base/require.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

enum { MAX_TRIES = 100, PART_BYTES = 48 };

// One call reads or writes at most this much.
#define IO_BYTES (UINT64_C(1) << 30)

// ---- paths and errors ----

// Converts a path to UTF-16 in memory of its own, or returns NULL on failure.
static wchar_t *widen(const char *path) {
    int units = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    wchar_t *wide = units > 0 ? fum_alloc((size_t)units, sizeof *wide) : NULL;
    if (wide) MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, units);
    return wide;
}

// Fills the error with the system's text for GetLastError().
enum fum_result fum_system_error(struct fum_error *err, const char *doing, const char *path) {
    wchar_t wide[160];
    char text[480] = "";
    DWORD code = GetLastError();
    DWORD units = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                                 code, 0, wide, FUM_COUNT(wide), NULL);
    while (units && (wide[units - 1] <= L' ' || wide[units - 1] == L'.')) units--;
    int bytes =
        WideCharToMultiByte(CP_UTF8, 0, wide, (int)units, text, sizeof text - 1, NULL, NULL);
    text[bytes > 0 ? bytes : 0] = 0;
    if (!text[0]) snprintf(text, sizeof text, "error %lu", (unsigned long)code);
    bool full = code == ERROR_DISK_FULL || code == ERROR_HANDLE_DISK_FULL ||
                code == ERROR_DISK_QUOTA_EXCEEDED;
    return fum_error_set(err, full ? FUM_ERR_NO_SPACE : FUM_ERR_IO, "cannot %s %s: %s", doing, path,
                         text);
}

static bool is_missing(void) {
    DWORD code = GetLastError();
    return code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
}

static size_t base_of(const char *path) {
    size_t n = strlen(path);
    while (n && path[n - 1] != '/' && path[n - 1] != '\\' && path[n - 1] != ':') n--;
    return n;
}

enum fum_result fum_path_make_dir(const char *path, struct fum_error *err) {
    wchar_t *wide = widen(path);
    if (!wide)
        return fum_error_set(err, FUM_ERR_IO, "cannot create folder %s: not a path in UTF-8", path);
    bool made = CreateDirectoryW(wide, NULL) || GetLastError() == ERROR_ALREADY_EXISTS;
    DWORD attributes =
        made ? 0 : GetFileAttributesW(wide); // "C:" exists, and creating it is refused
    made =
        made || (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY));
    fum_free(wide);
    return made ? FUM_OK : fum_system_error(err, "create folder", path);
}

// Returns the pattern of all names in a folder, in UTF-16, or NULL on failure.
static wchar_t *all_names(const char *dir) {
    size_t n = strlen(dir);
    char *pattern = fum_alloc(n + 3, 1);
    if (!pattern) return NULL;
    memcpy(pattern, dir, n);
    memcpy(pattern + n, "/*", 3);
    wchar_t *wide = widen(pattern);
    fum_free(pattern);
    return wide;
}

enum fum_result fum_system_list(const char *dir, bool (*add)(void *user, const char *name),
                                void *user, struct fum_error *err) {
    WIN32_FIND_DATAW found;
    char name[MAX_PATH * 3 + 1];
    bool good = true;
    wchar_t *pattern = all_names(dir);
    HANDLE folder = pattern ? FindFirstFileW(pattern, &found) : INVALID_HANDLE_VALUE;
    fum_free(pattern);
    if (folder == INVALID_HANDLE_VALUE) return fum_system_error(err, "open folder", dir);
    do {
        // names that are no Unicode cannot be opened through paths in UTF-8
        if (WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, found.cFileName, -1, name,
                                sizeof name, NULL, NULL) > 0)
            good = add(user, name);
    } while (good && FindNextFileW(folder, &found));
    FindClose(folder);
    return good ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for the names in %s", dir);
}

enum fum_result fum_file_append(const char *path, const void *data, size_t bytes,
                                struct fum_error *err) {
    DWORD done = 0;
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    wchar_t *wide = widen(path);
    if (!wide) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the name %s", path);
    HANDLE handle = CreateFileW(wide, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                                OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    fum_free(wide);
    if (handle == INVALID_HANDLE_VALUE) return fum_system_error(err, "write", path);
    bool written = WriteFile(handle, data, (DWORD)bytes, &done, NULL) && done == bytes;
    enum fum_result result = written ? FUM_OK : fum_system_error(err, "write", path);
    CloseHandle(handle);
    return result;
}

enum fum_result fum_path_remove(const char *path, struct fum_error *err) {
    wchar_t *wide = widen(path);
    if (!wide) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the name %s", path);
    bool gone =
        DeleteFileW(wide) || GetLastError() == ERROR_FILE_NOT_FOUND || RemoveDirectoryW(wide);
    fum_free(wide);
    return gone ? FUM_OK : fum_system_error(err, "remove", path);
}

// ---- reading ----

static HANDLE open_to_read(const char *path) {
    wchar_t *wide = widen(path);
    if (!wide) return INVALID_HANDLE_VALUE;
    HANDLE handle =
        CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    // folders too
                    NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    fum_free(wide);
    return handle;
}

static enum fum_file_kind kind_of(HANDLE handle) {
    BY_HANDLE_FILE_INFORMATION info;
    if (GetFileType(handle) != FILE_TYPE_DISK || !GetFileInformationByHandle(handle, &info))
        return FUM_FILE_OTHER;
    return info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? FUM_FILE_FOLDER : FUM_FILE_REGULAR;
}

static enum fum_result check_regular(HANDLE handle, const char *path, struct fum_error *err) {
    enum fum_file_kind kind = kind_of(handle);
    if (kind == FUM_FILE_REGULAR) return FUM_OK;
    return fum_error_set(err, FUM_ERR_IO, "cannot read %s: it is %s", path,
                         kind == FUM_FILE_FOLDER ? "a folder" : "not a regular file");
}

enum fum_result fum_system_open(struct fum_file *f, struct fum_error *err) {
    LARGE_INTEGER size;
    BY_HANDLE_FILE_INFORMATION info;
    HANDLE handle = open_to_read(f->path);
    if (handle == INVALID_HANDLE_VALUE) return fum_system_error(err, "open", f->path);
    f->handle = handle;
    enum fum_result result = check_regular(handle, f->path, err);
    if (result) return result;
    if (!GetFileSizeEx(handle, &size) || !GetFileInformationByHandle(handle, &info))
        return fum_system_error(err, "open", f->path);
    f->size = (uint64_t)size.QuadPart;
    f->stamp = (struct fum_file_stamp){
        info.dwVolumeSerialNumber, (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow,
        f->size,
        (int64_t)info.ftLastWriteTime.dwHighDateTime << 32 | info.ftLastWriteTime.dwLowDateTime};
    return FUM_OK;
}

void fum_system_close(struct fum_file *file) {
    if (file->handle) CloseHandle(file->handle);
}

enum fum_result fum_system_read(const struct fum_file *file, uint64_t offset, uint64_t bytes,
                                void *to, uint64_t *got) {
    OVERLAPPED at = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
    DWORD n = 0, most = (DWORD)(bytes < IO_BYTES ? bytes : IO_BYTES);
    if (!ReadFile(file->handle, to, most, &n, &at) && GetLastError() != ERROR_HANDLE_EOF)
        return FUM_ERR_IO;
    *got = n;
    return FUM_OK;
}

uint64_t fum_system_size(const struct fum_file *file) {
    LARGE_INTEGER size;
    return GetFileSizeEx(file->handle, &size) ? (uint64_t)size.QuadPart : 0;
}

enum fum_result fum_file_look(const char *path, enum fum_file_kind *kind, struct fum_error *err) {
    *kind = FUM_FILE_NONE;
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    HANDLE handle = open_to_read(path);
    if (handle == INVALID_HANDLE_VALUE)
        return is_missing() ? FUM_OK : fum_system_error(err, "open", path);
    *kind = kind_of(handle);
    CloseHandle(handle);
    return FUM_OK;
}

// ---- writing ----

struct fum_file_writer {
    struct fum_write_buffer buffer; // first: see file_system.h
    char *path;                     // as given, for errors
    wchar_t *name;                  // NULL: standard output
    wchar_t *part;                  // the unfinished file beside it; NULL: written through
    HANDLE handle;
    bool standard; // standard output, which stays open
};

static enum fum_result write_error(const fum_file_writer *w, struct fum_error *err) {
    return fum_system_error(err, "write", w->path);
}

// Marks the unfinished file for removal when its last handle closes, so that a killed program
// leaves none.
static bool remove_on_close(HANDLE handle, bool remove) {
    FILE_DISPOSITION_INFO info = {.DeleteFile = remove};
    return SetFileInformationByHandle(handle, FileDispositionInfo, &info, sizeof info);
}

// Creates the unfinished file, ".fumarole-….part" in the folder of the path.
static bool create_part(fum_file_writer *w) {
    size_t base = base_of(w->path), bytes = base + PART_BYTES;
    char *part = fum_alloc(bytes, 1);
    for (int i = 0; part && i < MAX_TRIES && w->handle == INVALID_HANDLE_VALUE; i++) {
        LARGE_INTEGER now;
        QueryPerformanceCounter(&now);
        uint64_t mixed = ((uint64_t)now.QuadPart ^ (uint64_t)GetCurrentProcessId() << 40) *
                         UINT64_C(0x9e3779b97f4a7c15);
        snprintf(part, bytes, "%.*s.fumarole-%016llx.part", (int)base, w->path,
                 (unsigned long long)mixed);
        fum_free(w->part);
        w->part = widen(part);
        if (!w->part) break;
        w->handle =
            CreateFileW(w->part, GENERIC_WRITE | DELETE, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                        CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
        if (w->handle == INVALID_HANDLE_VALUE && GetLastError() != ERROR_FILE_EXISTS) break;
    }
    fum_free(part);
    if (w->handle == INVALID_HANDLE_VALUE) return false;
    remove_on_close(w->handle, true);
    return true;
}

// Opens a device or pipe to write through. Leaves the handle unset if the path is a file or
// missing.
static enum fum_result open_existing(fum_file_writer *w, struct fum_error *err) {
    DWORD attributes = GetFileAttributesW(w->name);
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY))
        return fum_error_set(err, FUM_ERR_IO, "cannot write %s: it is a folder", w->path);
    HANDLE handle = CreateFileW(w->name, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                                OPEN_EXISTING, 0, NULL);
    if (handle == INVALID_HANDLE_VALUE) return is_missing() ? FUM_OK : write_error(w, err);
    if (GetFileType(handle) == FILE_TYPE_DISK)
        CloseHandle(handle);
    else
        w->handle = handle;
    return FUM_OK;
}

// Makes the missing folders of the path.
static enum fum_result make_folders(const fum_file_writer *w, struct fum_error *err) {
    char *folder = fum_strdup(w->path);
    if (!folder) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", w->path);
    size_t base = base_of(folder);
    folder[base ? base - 1 : 0] = 0;
    for (char *p = folder; *p; p++)
        if (*p == '\\') *p = '/';
    enum fum_result result = *folder ? fum_path_make_dirs(folder, err) : FUM_OK;
    fum_free(folder);
    return result;
}

static enum fum_result begin(fum_file_writer *w, struct fum_error *err) {
    w->standard = !strcmp(w->path, "-");
    if (w->standard) {
        fflush(stdout); // earlier output comes first
        w->handle = GetStdHandle(STD_OUTPUT_HANDLE);
        return FUM_OK;
    }
    if (!w->path[base_of(w->path)])
        return fum_error_set(err, FUM_ERR_IO, "cannot write %s: it is a folder's name", w->path);
    if (!(w->name = widen(w->path)))
        return fum_error_set(err, FUM_ERR_IO, "cannot write %s: not a path in UTF-8", w->path);
    enum fum_result result = open_existing(w, err);
    if (!result && w->handle == INVALID_HANDLE_VALUE) result = make_folders(w, err);
    if (!result && w->handle == INVALID_HANDLE_VALUE && !create_part(w))
        result = write_error(w, err);
    return result;
}

enum fum_result fum_file_begin(fum_file_writer **writer, const char *path, struct fum_error *err) {
    *writer = NULL;
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    fum_file_writer *w = *writer = fum_calloc(1, sizeof *w);
    if (w) {
        w->handle = INVALID_HANDLE_VALUE;
        w->path = fum_strdup(path);
    }
    bool made = w && w->path;
    enum fum_result result =
        made ? begin(w, err) : fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", path);
    if (result) fum_file_abort(writer);
    return result;
}

// Links need privileges here, and replacing one never follows it.
enum fum_result fum_file_begin_own(fum_file_writer **writer, const char *path,
                                   struct fum_error *err) {
    return fum_file_begin(writer, path, err);
}

// Does nothing: the system removes the unfinished file of a program that dies.
void fum_file_clean(const char *path) {
    (void)path;
}

void fum_file_clean_own(const char *path) {
    (void)path;
}

static bool write_all(HANDLE handle, const uint8_t *p, size_t bytes) {
    while (bytes) {
        DWORD n = 0;
        if (!WriteFile(handle, p, (DWORD)(bytes < IO_BYTES ? bytes : IO_BYTES), &n, NULL))
            return false;
        p += n;
        bytes -= n;
    }
    return true;
}

enum fum_result fum_system_write(fum_file_writer *w, const void *data, size_t bytes,
                                 struct fum_error *err) {
    return write_all(w->handle, data, bytes) ? FUM_OK : write_error(w, err);
}

// Puts the finished file in place. ReplaceFile keeps the old one's attributes and access rights.
static bool put_in_place(fum_file_writer *w) {
    if (!FlushFileBuffers(w->handle) || !remove_on_close(w->handle, false)) return false;
    CloseHandle(w->handle);
    w->handle = INVALID_HANDLE_VALUE;
    if (ReplaceFileW(w->name, w->part, NULL, REPLACEFILE_IGNORE_MERGE_ERRORS, NULL, NULL) ||
        MoveFileExW(w->part, w->name, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
        return true;
    DWORD code = GetLastError();
    DeleteFileW(w->part);
    SetLastError(code);
    return false;
}

enum fum_result fum_file_commit(fum_file_writer **writer, struct fum_error *err) {
    fum_file_writer *w = writer ? *writer : NULL;
    if (!w) return FUM_OK;
    enum fum_result result = fum_writer_flush(w, err);
    if (!result && w->part && !put_in_place(w)) result = write_error(w, err);
    fum_file_abort(writer);
    return result;
}

void fum_file_abort(fum_file_writer **writer) {
    if (!writer || !*writer) return;
    fum_file_writer *w = *writer;
    if (w->handle != INVALID_HANDLE_VALUE && !w->standard)
        CloseHandle(w->handle); // removes an unfinished file
    fum_free(w->part);
    fum_free(w->name);
    fum_free(w->path);
    fum_free(w);
    *writer = NULL;
}

// ---- identity ----

static bool identify_open(HANDLE handle, struct fum_file_identity *identity) {
    BY_HANDLE_FILE_INFORMATION info;
    if (GetFileType(handle) != FILE_TYPE_DISK || !GetFileInformationByHandle(handle, &info))
        return false;
    *identity = (struct fum_file_identity){
        info.dwVolumeSerialNumber, (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow, 0};
    return true;
}

// Hashes a missing path, with slashes and the case of ASCII letters made equal.
static uint64_t hash_name(const char *at) {
    uint64_t h = 14695981039346656037u; // FNV-1a
    for (; *at; at++) {
        char c = *at == '\\' ? '/' : *at;
        if (c >= 'A' && c <= 'Z') c = (char)(c + 'a' - 'A');
        h = (h ^ (uint8_t)c) * 1099511628211u;
    }
    return h;
}

// Finds the nearest folder above a missing file.
static bool identify_missing(const char *path, struct fum_file_identity *identity) {
    char *folder = fum_strdup(path);
    bool known = false;
    for (size_t base = folder ? base_of(folder) : 0; folder; base = base_of(folder)) {
        if (base) folder[base - 1] = 0;
        HANDLE handle = open_to_read(base ? folder : ".");
        known = handle != INVALID_HANDLE_VALUE && identify_open(handle, identity);
        if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
        if (known) identity->name = hash_name(path + base);
        if (known || !base) break;
    }
    fum_free(folder);
    return known;
}

bool fum_file_identify(const char *path, struct fum_file_identity *identity) {
    if (!path) return false;
    if (!strcmp(path, "-")) {
        HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
        if (!identify_open(output, identity))
            *identity = (struct fum_file_identity){UINT64_MAX, 1, 0};
        return true;
    }
    HANDLE handle = open_to_read(path);
    if (handle == INVALID_HANDLE_VALUE) return identify_missing(path, identity);
    bool known = identify_open(handle, identity);
    CloseHandle(handle);
    return known;
}

// ---- time ----

double fum_time_now(void) {
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (double)now.QuadPart / (double)frequency.QuadPart;
}
