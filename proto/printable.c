/* Text that a peer chose, made fit for people's eyes. */
#include "proto/printable.h"

/* The length of the character at `at` when it may be shown, or 0. */
static size_t printable(const uint8_t *at, const uint8_t *stop)
{
    size_t len = leat_utf8_len(leat_bytes(at, (size_t)(stop - at)));

    if (*at < 0x20 || *at == 0x7f)
        return 0;
    /* C1 control characters, and what turns the direction of text around */
    if (len == 2 && at[0] == 0xc2 && at[1] < 0xa0)
        return 0;
    if (len == 3 && at[0] == 0xe2 &&
        ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) ||
         (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9)))
        return 0;
    return len;
}

void leat_printable_add(struct leat_text *t, struct leat_bytes b, size_t max)
{
    const uint8_t *at = b.data, *stop;

    if (b.len == 0)
        return;
    stop = at + (b.len > max ? max : b.len);
    while (b.len > max && stop > at && (*stop & 0xc0) == 0x80)
        stop--; /* not in the middle of a character */
    while (at < stop && leat_text_ok(t)) {
        size_t len = printable(at, stop);
        if (len != 0) {
            leat_text_add(t, at, len);
            at += len;
            continue;
        }
        if (*at == '\n')
            leat_text_str(t, "\\n");
        else if (*at == '\t')
            leat_text_str(t, "\\t");
        else if (*at == '\r')
            leat_text_str(t, "\\r");
        else
            leat_text_printf(t, "\\x%02x", (unsigned)*at);
        at++;
    }
    if (b.len > max)
        leat_text_str(t, "…");
}

/* What is not printable has at most three bytes. */
static uint32_t code_point(const uint8_t *at, size_t len)
{
    if (len < 2)
        return *at;
    if (len == 2)
        return (uint32_t)(at[0] & 0x1f) << 6 | (at[1] & 0x3f);
    return (uint32_t)(at[0] & 0xf) << 12 | (uint32_t)(at[1] & 0x3f) << 6 | (at[2] & 0x3f);
}

void leat_printable_json(struct leat_text *t, struct leat_bytes b)
{
    const uint8_t *at = b.data, *from = at, *end = b.len != 0 ? at + b.len : at;

    leat_text_char(t, '"');
    while (at < end && leat_text_ok(t)) {
        size_t len = leat_utf8_len(leat_bytes(at, (size_t)(end - at)));
        bool plain = printable(at, end) != 0 && *at != '"' && *at != '\\';

        if (!plain)
            leat_text_add(t, from, (size_t)(at - from));
        if (len == 0)
            leat_text_str(t, "\xef\xbf\xbd");
        else if (*at == '"' || *at == '\\')
            leat_text_printf(t, "\\%c", *at);
        else if (*at == '\n' || *at == '\r' || *at == '\t')
            leat_text_str(t, *at == '\n' ? "\\n" : *at == '\r' ? "\\r" : "\\t");
        else if (!plain)
            leat_text_printf(t, "\\u%04x", (unsigned)code_point(at, len));
        at += len != 0 ? len : 1;
        if (!plain)
            from = at;
    }
    leat_text_add(t, from, (size_t)(at - from));
    leat_text_char(t, '"');
}
