/* Strict JSON read in one pass, without building anything: a cursor over text that is all there.
 *
 * Source: RFC 8259. No comments, no trailing commas, strings in valid UTF-8. A lone surrogate
 * escape becomes U+FFFD, as the collector's parser does. Every error has a static sentence and a
 * place. */
#ifndef LEAT_PROTO_JSON_READ_H
#define LEAT_PROTO_JSON_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define LEAT_JSON_SKIP_DEPTH 512  /* nested arrays and objects in a value that is passed over */
#define LEAT_JSON_NUMBER_MAX 1024 /* characters of one number */

/* The first error sticks in `wrong` and `wrong_at`; readers return false from then on. */
struct leat_json_read {
    const uint8_t *at, *end, *start;
    const char *wrong;
    const uint8_t *wrong_at;
};

/* The text between the quotes. Well-formed; when `escaped`, it has backslashes in it. */
struct leat_json_string {
    struct leat_bytes raw;
    bool escaped;
};

/* (-1 when negative) mantissa * 10^exponent, and digits that did not fit when `inexact`. */
struct leat_json_number {
    struct leat_bytes text;
    uint64_t mantissa;
    int32_t exponent;
    bool negative, inexact;
};

static inline struct leat_json_read leat_json_read_of(struct leat_bytes text)
{
    const uint8_t *end =
        text.len != 0 ? text.data + text.len : text.data; /* NULL + 0 is not defined */

    return (struct leat_json_read){text.data, end, text.data, NULL, NULL};
}

/* Notes an error at `at` unless there is one already; returns false. */
bool leat_json_read_fail(struct leat_json_read *j, const uint8_t *at, const char *wrong);

static inline void leat_json_read_blank(struct leat_json_read *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t'))
        j->at++;
}

/* The character that begins the next value or ends this one, blanks passed over; 0: the end. */
static inline uint8_t leat_json_read_peek(struct leat_json_read *j)
{
    if (j->at<j->end && * j->at> ' ')
        return *j->at;
    leat_json_read_blank(j);
    return j->at < j->end ? *j->at : 0;
}

/* Passes over exactly this character (blanks before it too), or fails with `wrong`. */
static inline bool leat_json_read_char(struct leat_json_read *j, uint8_t c, const char *wrong)
{
    if (leat_json_read_peek(j) != c)
        return leat_json_read_fail(j, j->at, wrong);
    j->at++;
    return true;
}

/* After a member or element: true when another one follows, false at `close` (passed over) or at an
 * error. */
bool leat_json_read_more_slowly(struct leat_json_read *j, uint8_t close);

static inline bool leat_json_read_more(struct leat_json_read *j, uint8_t close)
{
    if (j->at < j->end && (*j->at == ',' || *j->at == close))
        return *j->at++ == ',';
    return leat_json_read_more_slowly(j, close);
}

bool leat_json_read_string(struct leat_json_read *j, struct leat_json_string *ret);
bool leat_json_read_number(struct leat_json_read *j, struct leat_json_number *ret);
/* true, false or null as such a word; fails when something else is there. */
bool leat_json_read_word(struct leat_json_read *j, const char *word);
/* Passes over a value of any kind, checking it. */
bool leat_json_read_skip(struct leat_json_read *j);

/* What an escaped string says, in at most `room` bytes: cut between characters when that is less
 * than raw.len, the whole otherwise. `out` may be raw.data itself. Returns its length. */
size_t leat_json_unescape(struct leat_bytes raw, uint8_t *out, size_t room);

/* The magnitude of an integral number. NULL, or a static sentence: not integral, too large. */
const char *leat_json_number_whole(const struct leat_json_number *n, uint64_t *ret);
/* The nearest double. NULL, or a static sentence: too large. */
const char *leat_json_number_double(const struct leat_json_number *n, double *ret);

#endif
