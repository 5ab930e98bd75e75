/* Names of own metrics with unit and type at their end. */
#include "run/suffix.h"

#include <string.h>

static const char ours[] = "otelcol_";

/* The units that names do not show by themselves. */
static const struct {
    const char *name, *unit;
} units_of[] = {
    {"otelcol_process_uptime", "_seconds"},
    {"otelcol_process_memory_rss", "_bytes"},
};

/* What a line is about. */
struct line {
    struct leat_bytes before, name, after; /* "# TYPE ", "otelcol_x", " counter" */
};

static struct line split(struct leat_bytes line)
{
    struct line l = {.before = {line.data, 0}};
    size_t from = 0, to;

    if (line.len > 7 &&
        (memcmp(line.data, "# HELP ", 7) == 0 || memcmp(line.data, "# TYPE ", 7) == 0))
        from = 7;
    for (to = from; to < line.len && line.data[to] != ' ' && line.data[to] != '{';)
        to++;
    l.before.len = from;
    l.name = leat_bytes(line.data + from, to - from);
    l.after = leat_bytes(line.data + to, line.len - to);
    return l;
}

static bool ends_with(struct leat_bytes name, const char *end)
{
    size_t n = strlen(end);

    return name.len >= n && memcmp(name.data + name.len - n, end, n) == 0;
}

static void put(struct leat_text *out, struct leat_bytes b)
{
    leat_text_add(out, b.data, b.len);
}

static void put_line(const struct line *l, bool units, bool counter, struct leat_text *out)
{
    put(out, l->before);
    put(out, l->name);
    for (size_t i = 0; i < sizeof units_of / sizeof *units_of && units; i++) {
        if (leat_bytes_is(l->name, units_of[i].name))
            leat_text_str(out, units_of[i].unit);
    }
    if (counter && !ends_with(l->name, "_total"))
        leat_text_str(out, "_total");
    put(out, l->after);
    leat_text_char(out, '\n');
}

static struct leat_bytes next_line(struct leat_bytes *rest)
{
    const void *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    struct leat_bytes line = *rest;

    if (end != NULL)
        line.len = (size_t)((const uint8_t *)end - (const uint8_t *)rest->data);
    *rest = leat_bytes((const uint8_t *)rest->data + line.len + (end != NULL),
                       rest->len - line.len - (end != NULL));
    return line;
}

/* A family is its HELP line, its TYPE line and its series: whether it is a counter is known only
 * at its second line, so the first one looks ahead. */
static bool is_counter(struct leat_bytes help, struct leat_bytes rest, bool now)
{
    struct leat_bytes about = help;

    if (help.len > 7 && memcmp(help.data, "# HELP ", 7) == 0)
        about = next_line(&rest);
    if (about.len > 7 && memcmp(about.data, "# TYPE ", 7) == 0)
        return ends_with(about, " counter");
    return now;
}

void leat_suffix_page(struct leat_bytes page, bool units, bool types, struct leat_text *out)
{
    bool counter = false;

    while (page.len > 0) {
        struct leat_bytes text = next_line(&page);
        struct line l = split(text);
        counter = is_counter(text, page, counter);
        if (l.name.len >= sizeof ours && memcmp(l.name.data, ours, sizeof ours - 1) == 0)
            put_line(&l, units, counter && types, out);
        else
            put_line(&l, false, false, out);
    }
}
