/* Text that grows while it is written. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void leat_text_init(struct leat_text *t, size_t max)
{
    *t = (struct leat_text){.max = max};
}

void leat_text_over(struct leat_text *t, void *memory, size_t size)
{
    *t = (struct leat_text){.data = memory, .cap = size, .max = size - 1};
}

void leat_text_done(struct leat_text *t)
{
    leat_free(t->data);
    leat_text_init(t, t->max);
}

void leat_text_clear(struct leat_text *t)
{
    t->len = 0;
    t->failed = false;
    if (t->data != NULL)
        t->data[0] = '\0';
}

bool leat_text_reserve(struct leat_text *t, size_t more)
{
    size_t need, cap;
    char *data;

    if (t->failed)
        return false;
    if (more > t->max || t->len > t->max - more) {
        t->failed = true;
        return false;
    }
    need = t->len + more + 1;
    if (need <= t->cap)
        return true;
    cap = t->cap < 128 ? 128 : t->cap * 2;
    if (cap < need)
        cap = need;
    data = leat_try_resize(t->data, cap);
    if (data == NULL) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->cap = cap;
    return true;
}

void leat_text_add(struct leat_text *t, const void *data, size_t len)
{
    bool fits = !t->failed && len < t->cap - t->len && len <= t->max - t->len;

    if (!fits && !leat_text_reserve(t, len))
        return;
    if (len != 0)
        memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void leat_text_char(struct leat_text *t, char c)
{
    leat_text_add(t, &c, 1);
}

char *leat_decimal(uint64_t n, char out[LEAT_DECIMAL])
{
    char *at = out + LEAT_DECIMAL - 1;

    *at = '\0';
    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    return at;
}

void leat_text_uint(struct leat_text *t, uint64_t n)
{
    char digits[LEAT_DECIMAL];

    leat_text_str(t, leat_decimal(n, digits));
}

void leat_text_printf(struct leat_text *t, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0 || !leat_text_reserve(t, (size_t)len))
        return;
    va_start(ap, fmt);
    vsnprintf(t->data + t->len, (size_t)len + 1, fmt, ap);
    va_end(ap);
    t->len += (size_t)len;
}

void leat_text_percent_decode(struct leat_text *t, struct leat_bytes s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte;
        if (s.data[i] == '%' && s.len - i >= 3 &&
            leat_hex_decode(leat_bytes(s.data + i + 1, 2), &byte) == 1) {
            leat_text_char(t, (char)byte);
            i += 2;
        } else {
            leat_text_char(t, (char)s.data[i]);
        }
    }
}

bool leat_text_ok(const struct leat_text *t)
{
    return !t->failed;
}

const char *leat_text_get(const struct leat_text *t)
{
    return t->data ? t->data : "";
}

char *leat_text_take(struct leat_text *t)
{
    char *data = t->data ? t->data : leat_strdup("");

    leat_text_init(t, t->max);
    return data;
}

struct leat_bytes leat_text_bytes(const struct leat_text *t)
{
    return leat_bytes(t->data, t->len);
}
