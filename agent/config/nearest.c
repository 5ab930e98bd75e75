/* The word that was probably meant. */
#include <stdbool.h>
#include <string.h>

#include "config/document.h"

#define MAX_WORD 64 /* longer words are not compared */

/* Lower case, without "_" and "-": sendingQueue is near sending_queue. */
static size_t fold(const char *text, char out[MAX_WORD + 1])
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        char c = *text;
        if (c == '_' || c == '-')
            continue;
        if (n == MAX_WORD)
            return 0;
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[n] = '\0';
    return n;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Insertions, deletions, replacements and swapped neighbours that turn one into the other. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][MAX_WORD + 1], *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= nb; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *spare = before;
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        before = last;
        last = row;
        row = spare;
    }
    return last[nb];
}

const char *leat_nearest(const char *text, const char *const *words)
{
    char a[MAX_WORD + 1], b[MAX_WORD + 1];
    size_t na = fold(text, a), nb;
    const char *best = NULL;
    unsigned least = na < 6 ? 1 : na < 9 ? 2 : 3; /* a third of the word */

    for (least++; na != 0 && *words != NULL; words++) {
        unsigned d;
        nb = fold(*words, b);
        if (nb == 0)
            continue;
        d = distance(a, na, b, nb);
        if (d < least && d < nb) {
            least = d;
            best = *words;
        }
    }
    return best;
}
