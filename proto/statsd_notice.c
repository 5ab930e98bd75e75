/* Events and service checks of DogStatsD. */
#include <string.h>

#include "proto/statsd.h"
#include "proto/statsd_tags.h"

/* What is left of a line. */
struct rest {
    const uint8_t *at, *end;
};

static bool eat(struct rest *r, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return false;
    r->at += len;
    return true;
}

/* Up to the next '|' or the end. */
static struct leat_bytes field(struct rest *r)
{
    const uint8_t *from = r->at, *bar;

    bar = from < r->end ? memchr(from, '|', (size_t)(r->end - from)) : NULL;
    r->at = bar != NULL ? bar : r->end;
    return leat_bytes(from, (size_t)(r->at - from));
}

/* A length that fits into what is left. */
static bool length(struct rest *r, size_t *ret)
{
    const uint8_t *from = r->at;
    size_t v = 0;

    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        v = v * 10 + (size_t)(*r->at - '0');
        if (v > (size_t)(r->end - from))
            return false;
    }
    *ret = v;
    return r->at != from;
}

static bool take(struct rest *r, size_t len, struct leat_bytes *ret)
{
    if (len > (size_t)(r->end - r->at))
        return false;
    *ret = leat_bytes(r->at, len);
    r->at += len;
    return true;
}

static bool read_event(struct rest *r, struct leat_statsd_notice *n)
{
    size_t title, text;

    return eat(r, "_e{") && length(r, &title) && eat(r, ",") && length(r, &text) && eat(r, "}:") &&
           title > 0 && take(r, title, &n->name) && eat(r, "|") && take(r, text, &n->text) &&
           (r->at == r->end || *r->at == '|');
}

static bool read_check(struct rest *r, struct leat_statsd_notice *n)
{
    struct leat_bytes status;

    if (!eat(r, "_sc|"))
        return false;
    n->check = true;
    n->name = field(r);
    if (n->name.len == 0 || !eat(r, "|"))
        return false;
    status = field(r);
    if (status.len != 1 || status.data[0] < '0' || status.data[0] > '3')
        return false;
    n->status = (uint8_t)(status.data[0] - '0');
    return true;
}

static void take_time(struct leat_bytes text, uint64_t *faults, struct leat_statsd_notice *n)
{
    int64_t v = 0;

    for (size_t i = 0; i < text.len && v >= 0; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || v > INT64_MAX / 1000000000 / 10)
            v = -1;
        else
            v = v * 10 + (text.data[i] - '0');
    }
    if (text.len == 0 || v < 0 || v > INT64_MAX / 1000000000)
        faults[LEAT_STATSD_BAD_TIMESTAMP]++;
    else
        n->time = v;
}

/* The field with a key of one letter, or NULL. */
static struct leat_bytes *place(struct leat_statsd_notice *n, uint8_t key)
{
    switch (key) {
    case 'h':
        return &n->host;
    case 'c':
        return &n->container;
    case 'm':
        return n->check ? &n->text : NULL;
    case 'k':
        return n->check ? NULL : &n->key;
    case 'p':
        return n->check ? NULL : &n->priority;
    case 's':
        return n->check ? NULL : &n->source;
    case 't':
        return n->check ? NULL : &n->alert;
    default:
        return NULL;
    }
}

static void take_field(struct leat_bytes f, uint64_t *faults, struct leat_statsd_notice *n)
{
    struct leat_bytes rest, *to;

    if (f.len == 0) {
        faults[LEAT_STATSD_EMPTY_PART]++;
        return;
    }
    if (f.data[0] == '#') {
        n->tags = leat_bytes(f.data + 1, f.len - 1);
        if (n->tags.len > LEAT_STATSD_TAGS_MAX) {
            n->tags.len = LEAT_STATSD_TAGS_MAX;
            faults[LEAT_STATSD_LONG_TAGS]++;
        }
        return;
    }
    if (f.len >= 5 && memcmp(f.data, "card:", 5) == 0)
        return;
    to = f.len >= 2 && f.data[1] == ':' ? place(n, f.data[0]) : NULL;
    rest = f.len >= 2 ? leat_bytes(f.data + 2, f.len - 2) : f;
    if (to != NULL)
        *to = rest;
    else if (f.len >= 2 && f.data[0] == 'd' && f.data[1] == ':')
        take_time(rest, faults, n);
    else if (f.len < 2 || f.data[0] != 'e' || f.data[1] != ':') /* e: is for Datadog's agent */
        faults[LEAT_STATSD_UNKNOWN_PART]++;
}

bool leat_statsd_notice_read(struct leat_bytes line, uint64_t *faults,
                             struct leat_statsd_notice *ret)
{
    struct rest r = {line.data, line.data + line.len};
    bool check = line.len > 1 && line.data[1] == 's';

    *ret = (struct leat_statsd_notice){.check = check};
    if (!(check ? read_check(&r, ret) : read_event(&r, ret))) {
        faults[check ? LEAT_STATSD_BAD_CHECK : LEAT_STATSD_BAD_EVENT]++;
        return false;
    }
    while (r.at < r.end) {
        r.at++; /* the '|' */
        take_field(field(&r), faults, ret);
    }
    if (ret->container.len > LEAT_STATSD_CONTAINER_MAX) {
        ret->container.len = 0;
        faults[LEAT_STATSD_BAD_CONTAINER]++;
    }
    ret->container = leat_statsd_container(ret->container);
    return true;
}
