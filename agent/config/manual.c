/* The settings tables as documents: Markdown, JSON Schema. */
#include "config/manual.h"

void leat_manual_json_string(const char *text, struct leat_text *out)
{
    leat_text_char(out, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            leat_text_printf(out, "\\%c", c);
        else if (c == '\n')
            leat_text_str(out, "\\n");
        else if (c == '\t')
            leat_text_str(out, "\\t");
        else if (c < 0x20 || c == 0x7f)
            leat_text_printf(out, "\\u%04x", c);
        else
            leat_text_char(out, (char)c);
    }
    leat_text_char(out, '"');
}
