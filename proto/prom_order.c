/* Puts the series of a remote-write request into the order of their times. */
#include "proto/prom_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/wire.h"

struct piece {
    int64_t time;
    size_t at, len;
};

/* Field `field` of a message, as a number; 0 when it is not there. */
static int64_t number_in(struct leat_bytes message, uint32_t field)
{
    struct leat_wire w = leat_wire_of(message);
    struct leat_wire_field f;

    while (leat_wire_next(&w, &f) > 0) {
        if (f.field == field && f.type == LEAT_VARINT)
            return (int64_t)f.number;
    }
    return 0;
}

/* TimeSeries: sample 2 with its timestamp 2, histogram 4 (2.0: 3) with its timestamp 15. */
static int64_t time_of(enum leat_prom_message message, struct leat_bytes series)
{
    uint32_t histogram = message == LEAT_PROM_WRITE_1 ? 4 : 3;
    struct leat_wire w = leat_wire_of(series);
    struct leat_wire_field f;

    while (leat_wire_next(&w, &f) > 0) {
        if (f.field == 2 && f.type == LEAT_BYTES)
            return number_in(f.bytes, 2);
        if (f.field == histogram && f.type == LEAT_BYTES)
            return number_in(f.bytes, 15);
    }
    return 0;
}

static size_t count_pieces(struct leat_bytes body)
{
    struct leat_wire w = leat_wire_of(body);
    struct leat_wire_field f;
    size_t n = 0;

    while (leat_wire_next(&w, &f) > 0)
        n++;
    return n;
}

static void read_pieces(enum leat_prom_message message, struct leat_bytes body, struct piece *ret)
{
    uint32_t series = message == LEAT_PROM_WRITE_1 ? 1 : 5;
    struct leat_wire w = leat_wire_of(body);
    struct leat_wire_field f;
    const uint8_t *from = w.at;

    for (; leat_wire_next(&w, &f) > 0; from = w.at, ret++) {
        ret->at = (size_t)(from - body.data);
        ret->len = (size_t)(w.at - from);
        ret->time = f.field == series ? time_of(message, f.bytes) : INT64_MIN;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

bool leat_prom_order(enum leat_prom_message message, struct leat_text *body)
{
    size_t n = count_pieces(leat_text_bytes(body)), at = 0;
    struct piece *pieces;
    char *sorted;

    if (n < 2)
        return true;
    pieces = leat_try(n * sizeof *pieces);
    sorted = leat_try(body->cap);
    if (pieces == NULL || sorted == NULL) {
        leat_free(pieces);
        leat_free(sorted);
        return false;
    }
    read_pieces(message, leat_text_bytes(body), pieces);
    qsort(pieces, n, sizeof *pieces, by_time);
    for (size_t i = 0; i < n; i++) {
        memcpy(sorted + at, body->data + pieces[i].at, pieces[i].len);
        at += pieces[i].len;
    }
    leat_free(body->data);
    body->data = sorted;
    leat_free(pieces);
    return true;
}
