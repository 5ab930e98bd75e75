/* A run of bytes that somebody else owns. */
#ifndef LEAT_BASE_BYTES_H
#define LEAT_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct leat_bytes {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;
};

/* For printf("%.*s", LEAT_FMT(b)). */
#define LEAT_FMT(b) (int)(b).len, (const char *)(b).data

static inline struct leat_bytes leat_bytes(const void *data, size_t len)
{
    return (struct leat_bytes){(const uint8_t *)data, len};
}

static inline struct leat_bytes leat_bytes_str(const char *text)
{
    return leat_bytes(text, text ? strlen(text) : 0);
}

static inline bool leat_bytes_eq(struct leat_bytes a, struct leat_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* By the bytes, a beginning before what goes on: below 0, 0 or above, as memcmp(). */
static inline int leat_bytes_compare(struct leat_bytes a, struct leat_bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int c = len != 0 ? memcmp(a.data, b.data, len) : 0;

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static inline bool leat_bytes_is(struct leat_bytes a, const char *text)
{
    return leat_bytes_eq(a, leat_bytes_str(text));
}

/* Equal but for the case of ASCII letters: header names, schemes. */
bool leat_bytes_is_nocase(struct leat_bytes a, const char *text);

/* ASCII letters in place. */
void leat_lower(char *text, size_t len);

/* Without the blanks and tabs around it. */
struct leat_bytes leat_bytes_trim(struct leat_bytes a);

/* The length of the well-formed UTF-8 sequence that `a` starts with (RFC 3629: no surrogates, no
 * overlong forms), 0 when there is none. */
size_t leat_utf8_len(struct leat_bytes a);

/* True when `a` is well-formed UTF-8. */
bool leat_bytes_utf8(struct leat_bytes a);

/* Equal in time that depends on the lengths only: for secrets. */
bool leat_bytes_eq_secret(struct leat_bytes a, struct leat_bytes b);

/* Hex and base64. `out` must hold 2 * len (hex), or 4 * ((len + 2) / 3) (base64) characters;
 * nothing is terminated. The decoders return the number of bytes written, or -1 when the text is
 * not well-formed; `out` must hold len / 2 (hex) or 3 * (len / 4) + 2 (base64, padding optional,
 * standard alphabet) bytes. */
void leat_hex_encode(struct leat_bytes in, char *out);
long leat_hex_decode(struct leat_bytes text, uint8_t *out);
size_t leat_base64_encode(struct leat_bytes in, char *out);
long leat_base64_decode(struct leat_bytes text, uint8_t *out);

#endif
