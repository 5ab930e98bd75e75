/* OTLP requests whose every record has a name. */
#include "lib/path_records.h"

#include <stdio.h>

#include "base/check.h"
#include "base/map.h"
#include "proto/otlp_make.h"
#include "proto/otlp_match.h"

/* A sum that grew by one. */
static void delta(struct leat_make *m, const char *name)
{
    leat_make_open(m, 2);
    leat_make_string(m, 1, name);
    leat_make_open(m, 7);
    leat_make_open(m, 1);
    leat_make_fixed64(m, 3, 1);
    leat_make_fixed64(m, 6, 1);
    leat_make_close(m);
    leat_make_varint(m, 2, 1);
    leat_make_varint(m, 3, 1);
    leat_make_close(m);
    leat_make_close(m);
}

static void record(struct leat_make *m, enum leat_signal signal, const char *name)
{
    leat_make_open(m, 2);
    switch (signal) {
    case LEAT_TRACES:
        leat_make_bytes(m, 1, leat_bytes("0123456789abcdef", 16));
        leat_make_bytes(m, 2, leat_bytes("01234567", 8));
        leat_make_string(m, 5, name);
        break;
    case LEAT_METRICS:
        leat_make_string(m, 1, name);
        leat_make_open(m, 5);
        leat_make_open(m, 1);
        leat_make_fixed64(m, 3, 1);
        leat_make_double(m, 4, 1.5);
        leat_make_close(m);
        leat_make_close(m);
        break;
    default:
        leat_make_open(m, 5);
        leat_make_string(m, 1, name);
        leat_make_close(m);
        break;
    }
    leat_make_close(m);
}

static void request(enum leat_signal signal, bool deltas, const char *name, uint32_t items,
                    struct leat_text *out)
{
    struct leat_make m;
    char full[80];

    leat_make_init(&m, out);
    leat_make_open(&m, 1);
    leat_make_open(&m, 1);
    leat_make_attr_string(&m, 1, "service.name", name);
    leat_make_close(&m);
    leat_make_open(&m, 2);
    for (uint32_t i = 0; i < items; i++) {
        snprintf(full, sizeof full, "%s-%u", name, i);
        if (deltas)
            delta(&m, full);
        else
            record(&m, signal, full);
    }
    leat_make_close(&m);
    leat_make_close(&m);
    LEAT_CHECK(leat_text_ok(out));
}

void path_request(enum leat_signal signal, const char *name, uint32_t items, struct leat_text *out)
{
    request(signal, false, name, items, out);
}

void path_request_deltas(const char *name, uint32_t items, struct leat_text *out)
{
    request(LEAT_METRICS, true, name, items, out);
}

void path_names(enum leat_signal signal, struct leat_bytes request,
                void (*visit)(void *arg, struct leat_bytes name), void *arg)
{
    struct leat_otlp_walk w;

    leat_otlp_walk_init(&w, signal, request);
    while (leat_otlp_walk_next(&w)) {
        if (signal == LEAT_TRACES)
            visit(arg, leat_otlp_get(w.record, 5));
        else if (signal == LEAT_METRICS)
            visit(arg, leat_otlp_get(w.metric, 1));
        else
            visit(arg, leat_otlp_value_read(leat_otlp_get(w.record, 5)).bytes);
    }
}

void path_seen_init(struct path_seen *s)
{
    s->times = leat_map_new(10000000);
    s->total = 0;
}

void path_seen_done(struct path_seen *s)
{
    leat_map_free(s->times, NULL);
}

static void see(void *arg, struct leat_bytes name)
{
    struct path_seen *s = arg;
    uintptr_t times = (uintptr_t)leat_map_get(s->times, name);

    LEAT_CHECK(leat_map_set(s->times, name, (void *)(times + 1), NULL) == 0);
    s->total++;
}

void path_seen_request(struct path_seen *s, enum leat_signal signal, struct leat_bytes request)
{
    path_names(signal, request, see, s);
}

uint32_t path_seen_times(const struct path_seen *s, const char *name, uint32_t i)
{
    char full[80];

    snprintf(full, sizeof full, "%s-%u", name, i);
    return (uint32_t)(uintptr_t)leat_map_get(s->times, leat_bytes_str(full));
}

bool path_seen_once(const struct path_seen *s, const char *name, uint32_t items)
{
    for (uint32_t i = 0; i < items; i++) {
        if (path_seen_times(s, name, i) != 1) {
            fprintf(stderr, "%s-%u was seen %u times\n", name, i, path_seen_times(s, name, i));
            return false;
        }
    }
    return true;
}
