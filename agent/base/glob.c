/* Patterns with `*`. */
#include "base/glob.h"

static char low(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* How many bytes of `text` the first character of the pattern stands for; 0: none. */
static size_t one(char c, struct leat_bytes text, unsigned flags)
{
    char t = (char)text.data[0];

    if (c == '?' && (flags & LEAT_GLOB_ONE) != 0) {
        size_t n = leat_utf8_len(text);
        return n == 0 ? 1 : n;
    }
    return c != '\0' && (c == t || ((flags & LEAT_GLOB_FOLD) != 0 && low(c) == low(t)));
}

bool leat_glob(const char *pattern, struct leat_bytes text, unsigned flags)
{
    const char *star = NULL;
    size_t i = 0, again = 0, n;

    while (i < text.len) {
        if (*pattern == '*') {
            star = ++pattern;
            again = i;
        } else if ((n = one(*pattern, leat_bytes(text.data + i, text.len - i), flags)) != 0) {
            pattern++;
            i += n;
        } else if (star != NULL) {
            pattern = star;
            i = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
