/* JSON with blanks: see otlp_json_spaced.h. */
#include "lib/otlp_json_spaced.h"

#include <string.h>

static bool is_mark(char c)
{
    return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':';
}

void otlp_json_spaced(struct leat_bytes json, struct leat_text *out)
{
    bool in_string = false;
    char *to;

    if (!leat_text_reserve(out, 3 * json.len + 1))
        return;
    to = out->data + out->len;
    for (size_t i = 0; i < json.len; i++) {
        char c = (char)json.data[i];
        bool mark = !in_string && is_mark(c);
        if (mark)
            *to++ = ' ';
        *to++ = c;
        if (mark)
            *to++ = '\n';
        if (c == '"')
            in_string = !in_string;
        if (c == '\\' && in_string && i + 1 < json.len)
            *to++ = (char)json.data[++i];
    }
    out->len = (size_t)(to - out->data);
    *to = '\0';
}

const char *otlp_json_sentence(const char *error)
{
    const char *at = strstr(error, "byte ");

    if (at == NULL)
        return error;
    at += strlen("byte ");
    return at + strspn(at, "0123456789");
}
