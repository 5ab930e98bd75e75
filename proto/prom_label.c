/* Label names as Prometheus wants them, made of attribute keys. */
#include "proto/prom_label.h"

#include <string.h>

#include "proto/prom_name.h"

/* Writes `key` with _ for each character that is not legal; runs of _ as one when `collapse`. */
static void add_legal(struct leat_text *out, struct leat_bytes key, bool collapse)
{
    bool gap = false;
    char *to;

    if (!leat_text_reserve(out, key.len)) /* it becomes no longer */
        return;
    to = out->data + out->len;
    for (size_t i = 0; i < key.len;) {
        uint8_t c = key.data[i];
        size_t len = c < 0x80 ? 1 : leat_utf8_len(leat_bytes(key.data + i, key.len - i));
        bool legal = leat_prom_alnum(c);

        if (legal || !gap || !collapse)
            *to++ = legal ? (char)c : '_';
        gap = !legal;
        i += len != 0 ? len : 1;
    }
    *to = '\0';
    out->len = (size_t)(to - out->data);
}

static bool is_reserved(struct leat_bytes key)
{
    return key.len >= 4 && memcmp(key.data, "__", 2) == 0 &&
           memcmp(key.data + key.len - 2, "__", 2) == 0;
}

static void add_write_name(struct leat_text *out, struct leat_bytes key)
{
    if (is_reserved(key)) {
        leat_text_str(out, "__");
        add_legal(out, leat_bytes(key.data + 2, key.len - 4), true);
        leat_text_str(out, "__");
        return;
    }
    if (key.data[0] >= '0' && key.data[0] <= '9')
        leat_text_str(out, "key_");
    else if (!leat_prom_alnum(key.data[0]))
        leat_text_str(out, "key");
    add_legal(out, key, true);
}

bool leat_prom_label_name(enum leat_prom_label_rule rule, struct leat_bytes key,
                          struct leat_text *out)
{
    size_t start = out->len;

    if (key.len == 0)
        return false;
    if (rule == LEAT_PROM_LABEL_UTF8) {
        leat_prom_add_utf8(out, key);
    } else if (rule == LEAT_PROM_LABEL_WRITE) {
        add_write_name(out, key);
    } else {
        if (key.data[0] >= '0' && key.data[0] <= '9')
            leat_text_str(out, "key_");
        add_legal(out, key, false);
    }
    if (leat_text_ok(out) &&
        !leat_prom_only_underscores(leat_bytes(out->data + start, out->len - start)))
        return true;
    out->len = start;
    return false;
}

bool leat_prom_label_is_name(enum leat_prom_label_rule rule, struct leat_bytes key)
{
    bool gap = false;

    if (rule == LEAT_PROM_LABEL_UTF8)
        return leat_bytes_utf8(key) && !leat_prom_only_underscores(key);
    if (key.len == 0 || key.data[0] < 'A' || key.data[0] == '_')
        return false;
    for (size_t i = 0; i < key.len; i++) {
        bool underscore = key.data[i] == '_';
        if (!underscore && !leat_prom_alnum(key.data[i]))
            return false;
        if (underscore && gap && rule == LEAT_PROM_LABEL_WRITE)
            return false;
        gap = underscore;
    }
    return true;
}
