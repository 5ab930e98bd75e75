/* JSON with blanks: see otlp_json_spaced.h. */
#include "lib/otlp_json_spaced.h"

#include <string.h>

void otlp_json_spaced(struct leat_bytes json, struct leat_text *out)
{
    bool in_string = false;

    for (size_t i = 0; i < json.len; i++) {
        uint8_t c = json.data[i];
        bool mark = !in_string && c != 0 && strchr("{}[],:", c) != NULL;
        if (mark)
            leat_text_char(out, ' ');
        leat_text_char(out, (char)c);
        if (mark)
            leat_text_char(out, '\n');
        if (c == '"')
            in_string = !in_string;
        if (c == '\\' && in_string && i + 1 < json.len)
            leat_text_char(out, (char)json.data[++i]);
    }
}

const char *otlp_json_sentence(const char *error)
{
    const char *at = strstr(error, "byte ");

    if (at == NULL)
        return error;
    at += strlen("byte ");
    return at + strspn(at, "0123456789");
}
