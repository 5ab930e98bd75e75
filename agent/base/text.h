/* Text that grows while it is written, up to a stated maximum.
 *
 * Errors stick: after one append did not fit (maximum, or no memory) all later ones do nothing and
 * leat_text_ok() is false, so a writer checks once at its end. */
#ifndef LEAT_BASE_TEXT_H
#define LEAT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct leat_text {
    char *data; /* always NUL-terminated once something was added; may be NULL before */
    size_t len, cap, max;
    bool failed;
};

void leat_text_init(struct leat_text *t, size_t max); /* allocates nothing */
/* Writes into `size` bytes (at least 1) of the caller's, and never grows; not for leat_text_done().
 */
void leat_text_over(struct leat_text *t, void *memory, size_t size);
void leat_text_done(struct leat_text *t);  /* frees; `t` is as after init */
void leat_text_clear(struct leat_text *t); /* empty again, keeps its memory, forgets the error */
void leat_text_add(struct leat_text *t, const void *data, size_t len);
static inline void leat_text_str(struct leat_text *t, const char *text)
{
    leat_text_add(t, text, strlen(text));
}
void leat_text_char(struct leat_text *t, char c);
void leat_text_uint(struct leat_text *t, uint64_t n); /* in decimal */
/* A number in decimal, terminated; returns where in `out` it begins. */
#define LEAT_DECIMAL 21
char *leat_decimal(uint64_t n, char out[LEAT_DECIMAL]);
void leat_text_printf(struct leat_text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds `s` with %XX decoded; what is no such escape stays as it is. */
void leat_text_percent_decode(struct leat_text *t, struct leat_bytes s);
bool leat_text_reserve(struct leat_text *t, size_t more); /* room for `more` bytes, false: failed */
bool leat_text_ok(const struct leat_text *t);
const char *leat_text_get(const struct leat_text *t); /* never NULL */
char *leat_text_take(struct leat_text *t); /* the caller frees it with leat_free(); never NULL */
struct leat_bytes leat_text_bytes(const struct leat_text *t);

#endif
