// SPDX-License-Identifier: MIT
// Compares words that people type with the names that exist.
#include <fumarole/core.h>

#include <limits.h>
#include <string.h>

enum { LONGEST_WORD = 40 };

static int min_int(int a, int b) {
    return a < b ? a : b;
}

// Computes the optimal string alignment distance, row by row.
static int edit_distance(const char *a, const char *b) {
    int rows[3][LONGEST_WORD + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > LONGEST_WORD || b_len > LONGEST_WORD) return INT_MAX;
    for (size_t j = 0; j <= b_len; j++) rows[0][j] = (int)j;
    for (size_t i = 1; i <= a_len; i++) {
        int *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            int cost = a[i - 1] != b[j - 1];
            row[j] = min_int(min_int(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min_int(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

// Returns the edits that make `word` a misspelling of `other`, or INT_MAX when it looks like
// another word. Slips keep the first letter, or swap the first two; words of seven letters and more
// may have two. An ending of two letters makes another word.
int fum_text_misspelling(const char *word, const char *other) {
    size_t len = strlen(word), other_len = strlen(other);
    if (len >= other_len + 2 && strncmp(word, other, other_len) == 0) return INT_MAX;
    bool begins_alike =
        word[0] == other[0] || (word[0] && word[0] == other[1] && word[1] == other[0]);
    if (len < 3 || !begins_alike) return INT_MAX;
    int distance = edit_distance(word, other);
    int allowed = len < 7 ? 1 : 2;
    return distance <= allowed ? distance : INT_MAX;
}

const char *fum_text_nearest(const char *word, const char *(*name)(size_t index)) {
    const char *best = NULL;
    int best_distance = INT_MAX;
    for (size_t i = 0; name(i); i++) {
        int distance = fum_text_misspelling(word, name(i));
        if (distance < best_distance) {
            best_distance = distance;
            best = name(i);
        }
    }
    return best;
}
