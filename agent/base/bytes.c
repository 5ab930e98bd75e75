/* Comparing and encoding runs of bytes. */
#include "base/bytes.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool leat_bytes_is_nocase(struct leat_bytes a, const char *text)
{
    if (a.len != strlen(text))
        return false;
    if (a.len == 0 || memcmp(a.data, text, a.len) == 0)
        return true;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower((uint8_t)text[i]))
            return false;
    }
    return true;
}

void leat_lower(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = (char)lower((uint8_t)text[i]);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct leat_bytes leat_bytes_trim(struct leat_bytes a)
{
    while (a.len != 0 && is_blank(a.data[0]))
        a = leat_bytes(a.data + 1, a.len - 1);
    while (a.len != 0 && is_blank(a.data[a.len - 1]))
        a.len--;
    return a;
}

/* RFC 3629 section 4 */
size_t leat_utf8_len(struct leat_bytes a)
{
    const uint8_t *s = a.data;
    uint8_t c, low = 0x80, high = 0xbf;
    size_t len;

    if (a.len == 0)
        return 0;
    c = s[0];
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        len = 2;
    else if ((c & 0xf0) == 0xe0)
        len = 3;
    else if (c >= 0xf0 && c <= 0xf4)
        len = 4;
    else
        return 0;
    if (c == 0xe0)
        low = 0xa0;
    else if (c == 0xed)
        high = 0x9f;
    else if (c == 0xf0)
        low = 0x90;
    else if (c == 0xf4)
        high = 0x8f;
    if (a.len < len || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

bool leat_bytes_utf8(struct leat_bytes a)
{
    size_t i = 0;

    while (i < a.len) {
        uint64_t word;
        size_t n;
        if (a.len - i >= 8) {
            memcpy(&word, a.data + i, 8);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += 8;
                continue;
            }
        }
        n = leat_utf8_len(leat_bytes(a.data + i, a.len - i));
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

bool leat_bytes_eq_secret(struct leat_bytes a, struct leat_bytes b)
{
    uint8_t diff = 0;

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        diff |= (uint8_t)(a.data[i] ^ b.data[i]);
    return *(volatile uint8_t *)&diff == 0;
}

void leat_hex_encode(struct leat_bytes in, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < in.len; i++) {
        out[2 * i] = digits[in.data[i] >> 4];
        out[2 * i + 1] = digits[in.data[i] & 15];
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

long leat_hex_decode(struct leat_bytes text, uint8_t *out)
{
    if (text.len % 2 != 0)
        return -1;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return -1;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return (long)(text.len / 2);
}

size_t leat_base64_encode(struct leat_bytes in, char *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;

    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t v = (uint32_t)in.data[i] << 16;
        if (left > 1)
            v |= (uint32_t)in.data[i + 1] << 8;
        if (left > 2)
            v |= in.data[i + 2];
        out[at++] = letters[v >> 18];
        out[at++] = letters[v >> 12 & 63];
        out[at++] = left > 1 ? letters[v >> 6 & 63] : '=';
        out[at++] = left > 2 ? letters[v & 63] : '=';
    }
    return at;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

long leat_base64_decode(struct leat_bytes text, uint8_t *out)
{
    uint32_t v = 0;
    size_t at = 0, digits = 0;

    if (text.len % 4 == 0 && text.len > 0 && text.data[text.len - 1] == '=') {
        text.len--;
        if (text.data[text.len - 1] == '=')
            text.len--;
    }
    if (text.len % 4 == 1)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        int d = base64_digit(text.data[i]);
        if (d < 0)
            return -1;
        v = v << 6 | (uint32_t)d;
        if (++digits % 4 == 0) {
            out[at++] = (uint8_t)(v >> 16);
            out[at++] = (uint8_t)(v >> 8);
            out[at++] = (uint8_t)v;
        }
    }
    if (digits % 4 == 2)
        out[at++] = (uint8_t)(v >> 4);
    if (digits % 4 == 3) {
        out[at++] = (uint8_t)(v >> 10);
        out[at++] = (uint8_t)(v >> 2);
    }
    return (long)at;
}
