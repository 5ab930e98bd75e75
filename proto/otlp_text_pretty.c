/* Telemetry for a terminal: one line per record, spans and logs of one trace in one colour. */
#include <string.h>
#include <time.h>

#include "proto/otlp_show.h"
#include "proto/otlp_text.h"
#include "proto/printable.h"

#define VALUE_MAX   4096 /* bytes of one value or attribute list that are shown */
#define SERVICE_MAX 64   /* and of a service's name */
#define ID_BYTES    4    /* of a trace id */

struct line {
    struct leat_text *out;
    bool colour;
    struct leat_text scratch; /* a value before its control characters are escaped */
    struct leat_bytes service;
};

/* --- colour */

static void begin(struct line *l, const char *code)
{
    if (l->colour)
        leat_text_printf(l->out, "\x1b[%sm", code);
}

static void end(struct line *l)
{
    if (l->colour)
        leat_text_str(l->out, "\x1b[0m");
}

/* One of the 256-colour palette's readable ones, always the same for the same id (FNV-1a). */
static void begin_trace(struct line *l, struct leat_bytes id)
{
    static const uint8_t palette[] = {39,  43,  75,  78,  80,  111, 114, 117, 141, 148, 150, 168,
                                      173, 176, 179, 180, 203, 208, 209, 212, 214, 215, 219, 221};
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ id.data[i]) * 16777619u;
    if (l->colour)
        leat_text_printf(l->out, "\x1b[38;5;%um", (unsigned)palette[hash % sizeof palette]);
}

/* --- values */

static void add_value(struct line *l, struct leat_bytes value)
{
    struct leat_wire_field f;

    /* plain strings need no copy, and may be larger than what is shown */
    if (strcmp(leat_show_type(value), "Str") == 0 && leat_show_field(value, 1, &f)) {
        leat_printable_add(l->out, f.bytes, VALUE_MAX);
        return;
    }
    leat_text_clear(&l->scratch);
    leat_show_value(&l->scratch, value);
    if (leat_text_ok(&l->scratch))
        leat_printable_add(l->out, leat_text_bytes(&l->scratch), VALUE_MAX);
    else
        leat_text_str(l->out, "…");
}

static void add_attributes(struct line *l, struct leat_bytes m, uint32_t field)
{
    struct leat_wire w = leat_wire_of(m);
    struct leat_bytes pair;
    size_t start = l->out->len;

    begin(l, "2");
    while (leat_text_ok(l->out) && leat_show_next(&w, field, &pair)) {
        leat_text_char(l->out, ' ');
        if (l->out->len - start > VALUE_MAX) {
            leat_text_str(l->out, "…");
            break;
        }
        leat_printable_add(l->out, leat_show_bytes(pair, 1), VALUE_MAX);
        leat_text_char(l->out, '=');
        add_value(l, leat_show_bytes(pair, 2));
    }
    end(l);
}

/* --- the parts of a line */

/* "15:04:05.123 service " */
static void add_head(struct line *l, uint64_t nanos)
{
    time_t when = (time_t)(nanos / 1000000000);
    char part[16];
    struct tm tm;

    begin(l, "2");
    if (nanos == 0 || gmtime_r(&when, &tm) == NULL) {
        leat_text_str(l->out, "--:--:--.---");
    } else {
        strftime(part, sizeof part, "%H:%M:%S", &tm);
        leat_text_printf(l->out, "%s.%03u", part, (unsigned)(nanos / 1000000 % 1000));
    }
    end(l);
    leat_text_char(l->out, ' ');
    begin(l, "1");
    if (l->service.len != 0)
        leat_printable_add(l->out, l->service, SERVICE_MAX);
    else
        leat_text_char(l->out, '-');
    end(l);
    leat_text_char(l->out, ' ');
}

static void add_trace(struct line *l, struct leat_bytes id)
{
    size_t before;

    if (id.len < ID_BYTES)
        return;
    leat_text_char(l->out, ' ');
    begin_trace(l, id);
    before = l->out->len;
    leat_show_hex(l->out, leat_bytes(id.data, ID_BYTES));
    if (l->out->len == before)
        leat_text_str(l->out, "00000000");
    end(l);
}

static void add_duration(struct line *l, uint64_t start, uint64_t stop)
{
    uint64_t ns = stop > start ? stop - start : 0;

    if (ns < 1000)
        leat_text_printf(l->out, " %uns", (unsigned)ns);
    else if (ns < 1000000)
        leat_text_printf(l->out, " %.4gus", (double)ns / 1e3);
    else if (ns < 1000000000)
        leat_text_printf(l->out, " %.4gms", (double)ns / 1e6);
    else
        leat_text_printf(l->out, " %.2fs", (double)ns / 1e9);
}

/* --- records */

static void pretty_span(struct line *l, struct leat_bytes span)
{
    struct leat_bytes status = leat_show_bytes(span, 15), id = leat_show_bytes(span, 1);

    add_head(l, leat_show_number(span, 7));
    begin_trace(l, id);
    leat_printable_add(l->out, leat_show_bytes(span, 5), VALUE_MAX);
    end(l);
    add_duration(l, leat_show_number(span, 7), leat_show_number(span, 8));
    if (leat_show_number(status, 3) == 2) {
        begin(l, "31");
        leat_text_str(l->out, " ERROR");
        if (leat_show_bytes(status, 2).len != 0) {
            leat_text_char(l->out, ' ');
            leat_printable_add(l->out, leat_show_bytes(status, 2), VALUE_MAX);
        }
        end(l);
    }
    add_trace(l, id);
    add_attributes(l, span, 9);
    leat_text_char(l->out, '\n');
}

static const char *severity_colour(uint64_t number)
{
    if (number >= 17)
        return "31"; /* ERROR, FATAL */
    if (number >= 13)
        return "33"; /* WARN */
    return number >= 9 ? "32" : "2";
}

static void pretty_log(struct line *l, struct leat_bytes log)
{
    uint64_t time = leat_show_number(log, 1), number = leat_show_number(log, 2);
    struct leat_bytes text = leat_show_bytes(log, 3);

    add_head(l, time != 0 ? time : leat_show_number(log, 11));
    if (text.len == 0 && number != 0)
        text = leat_bytes_str(leat_show_severity(number));
    if (text.len != 0) {
        begin(l, severity_colour(number));
        leat_printable_add(l->out, text, SERVICE_MAX);
        end(l);
        leat_text_char(l->out, ' ');
    }
    add_value(l, leat_show_bytes(log, 5));
    add_trace(l, leat_show_bytes(log, 9));
    add_attributes(l, log, 6);
    leat_text_char(l->out, '\n');
}

static void pretty_metric(struct line *l, struct leat_bytes metric)
{
    struct leat_bytes data, point, unit = leat_show_bytes(metric, 3);
    uint32_t kind = leat_show_metric(metric, &data);
    struct leat_wire w = leat_wire_of(data);

    while (kind != 0 && leat_text_ok(l->out) && leat_show_next(&w, 1, &point)) {
        add_head(l, leat_show_number(point, 3));
        begin(l, "36");
        leat_printable_add(l->out, leat_show_bytes(metric, 1), VALUE_MAX);
        end(l);
        leat_text_char(l->out, ' ');
        leat_show_point_line(l->out, kind, point, false);
        if (unit.len != 0 && !leat_bytes_is(unit, "1")) {
            leat_text_char(l->out, ' ');
            leat_printable_add(l->out, unit, SERVICE_MAX);
        }
        add_attributes(l, point, leat_show_point_fields(kind).attributes);
        leat_text_char(l->out, '\n');
    }
}

static struct leat_bytes service_of(struct leat_bytes resource)
{
    struct leat_wire w = leat_wire_of(resource);
    struct leat_bytes pair;

    while (leat_show_next(&w, 1, &pair)) {
        if (leat_bytes_is(leat_show_bytes(pair, 1), "service.name"))
            return leat_show_bytes(leat_show_bytes(pair, 2), 1);
    }
    return leat_bytes(NULL, 0);
}

static void pretty_group(struct line *l, enum leat_signal signal, struct leat_bytes group)
{
    static void (*const record[LEAT_SIGNALS])(struct line *, struct leat_bytes) = {
        pretty_span, pretty_metric, pretty_log};
    struct leat_wire scopes = leat_wire_of(group), records;
    struct leat_bytes scope, one;

    l->service = service_of(leat_show_bytes(group, 1));
    while (leat_text_ok(l->out) && leat_show_next(&scopes, 2, &scope)) {
        records = leat_wire_of(scope);
        while (leat_text_ok(l->out) && leat_show_next(&records, 2, &one))
            record[signal](l, one);
    }
}

void leat_otlp_text_pretty(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                           bool colour, struct leat_text *out)
{
    struct line l = {.out = out, .colour = colour};

    leat_text_init(&l.scratch, 4 * VALUE_MAX);
    for (size_t i = 0; i < n; i++) {
        struct leat_wire w = leat_wire_of(parts[i]);
        struct leat_bytes group;
        while (leat_text_ok(out) && leat_show_next(&w, 1, &group))
            pretty_group(&l, signal, group);
    }
    leat_text_done(&l.scratch);
}
