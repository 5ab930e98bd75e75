/* The tags of a StatsD line as attributes: in the order of their keys, one of each. */
#ifndef LEAT_PROTO_STATSD_TAGS_H
#define LEAT_PROTO_STATSD_TAGS_H

#include "proto/statsd.h"

#define LEAT_STATSD_TAGS 128 /* of one line, the container included */

struct leat_statsd_tag {
    struct leat_bytes key, value; /* the value is empty in a tag that has none */
};

struct leat_statsd_tags {
    struct leat_statsd_tag items[LEAT_STATSD_TAGS];
    uint32_t count;
    uint32_t bad;            /* tags that were passed over: no key; no value and not `simple` */
    bool many;               /* there were more than fit */
    bool ascii;              /* nothing else stands there */
    bool replaced;           /* something was no UTF-8: U+FFFD for each such byte */
    struct leat_bytes name;  /* the metric's, replaced where it must be */
    struct leat_bytes stamp; /* digits; empty: none */
    uint8_t text[3 * (LEAT_STATSD_NAME_MAX + LEAT_STATSD_TAIL_MAX)]; /* what was replaced */
    uint32_t used;
};

/* Reads a line's name and tail (struct leat_statsd_line). Of two tags with one key the last wins,
 * and the container, which becomes "container.id", wins over all. */
void leat_statsd_tags_read(struct leat_statsd_tags *t, struct leat_bytes name,
                           struct leat_bytes tail, bool simple);

/* The id in the text of a container field: "id", or "ci-id" and "in-inode" (which means something
 * only on the client's own host) with commas between them. Empty: there is none. */
struct leat_bytes leat_statsd_container(struct leat_bytes text);

/* The same series: name, tags and timestamp. */
bool leat_statsd_tags_equal(const struct leat_statsd_tags *a, const struct leat_statsd_tags *b);
uint64_t leat_statsd_tags_hash(const struct leat_statsd_tags *t);

#endif
