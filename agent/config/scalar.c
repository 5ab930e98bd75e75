/* How texts are written in YAML. */
#include "config/scalar.h"

#include <string.h>

size_t leat_scalar_single(const char *from, const char *end, char *out)
{
    size_t n = 0, kept = 0; /* kept: without the blanks at the end of a line */

    while (from < end) {
        size_t breaks = 0;
        if (*from != '\n' && *from != '\r') {
            bool pair = *from == '\'' && from + 1 < end && from[1] == '\'';
            out[n++] = *from;
            if (*from != ' ' && *from != '\t')
                kept = n;
            from += pair ? 2 : 1;
            continue;
        }
        for (; from < end && strchr(" \t\r\n", *from) != NULL; from++)
            breaks += *from == '\n' || (*from == '\r' && (from + 1 == end || from[1] != '\n'));
        n = kept;
        if (breaks == 1)
            out[n++] = ' ';
        for (; breaks > 1; breaks--)
            out[n++] = '\n';
        kept = n;
    }
    return n;
}

bool leat_scalar_is_null(const char *text)
{
    return strcmp(text, "") == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}
