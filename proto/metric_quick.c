/* Data points in the shape in which SDKs write them, read quickly. */
#include "proto/metric_quick.h"

#include <string.h>

void leat_point_set_number(struct leat_point *p, enum leat_number_kind kind, uint64_t bits)
{
    double d;

    memcpy(&d, &bits, sizeof d);
    p->number = kind;
    p->integer = kind == LEAT_NUMBER_INT ? (int64_t)bits : 0;
    p->value = kind == LEAT_NUMBER_INT ? (double)(int64_t)bits : d;
}

/* Where the KeyValue field at `at` ends, of two bytes at least; NULL: it is longer than 16383 or
 * does not end before `end`. */
static const uint8_t *end_of_attr(const uint8_t *at, const uint8_t *end)
{
    size_t n = at[1];

    at += 2;
    if (n >= 0x80) {
        if (at == end || *at >= 0x80)
            return NULL;
        n = (n & 0x7f) | (size_t)*at++ << 7;
    }
    return n <= (size_t)(end - at) ? at + n : NULL;
}

bool leat_point_read_usual(struct leat_point *p)
{
    const uint8_t *at = p->message.data, *end = at + p->message.len, *first = NULL, *behind = NULL;
    uint64_t word;

    while (at < end) {
        if (*at == (7 << 3 | LEAT_BYTES)) {
            if (behind != NULL && behind != at)
                return false;
            first = first == NULL ? at : first;
            at = end - at < 2 ? NULL : end_of_attr(at, end);
            if (at == NULL)
                return false;
            behind = at;
            continue;
        }
        if (end - at < 9)
            return false;
        memcpy(&word, at + 1, 8);
        if (*at == (2 << 3 | LEAT_FIXED64))
            p->start = word;
        else if (*at == (3 << 3 | LEAT_FIXED64))
            p->time = word;
        else if (*at == (4 << 3 | LEAT_FIXED64))
            leat_point_set_number(p, LEAT_NUMBER_DOUBLE, word);
        else if (*at == (6 << 3 | LEAT_FIXED64))
            leat_point_set_number(p, LEAT_NUMBER_INT, word);
        else
            return false;
        at += 9;
    }
    if (first != NULL)
        p->attrs = leat_bytes(first, (size_t)(behind - first));
    return true;
}

void leat_metric_pass_points(struct leat_wire *w)
{
    while (w->end - w->at >= 3 && *w->at == (1 << 3 | LEAT_BYTES)) {
        const uint8_t *p = w->at + 2;
        size_t len = w->at[1];
        if (len >= 0x80) {
            if (*p >= 0x80)
                return;
            len = (len & 0x7f) | (size_t)*p++ << 7;
        }
        if (len > (size_t)(w->end - p))
            return;
        w->at = p + len;
    }
}
