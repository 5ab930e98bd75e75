/* The StatsD line protocol with everything DogStatsD added, read where it lies.
 *
 *   line    = name ":" value *( ":" value ) "|" type *( "|" part )
 *   type    = "c" / "g" / "ms" / "h" / "d" / "s"           ; case counts
 *   part    = "@" rate / "#" tag *( "," tag ) / "c:" container / "T" unix-seconds
 *           / "e:" external-data / "card:" cardinality     ; any order, the last of a kind counts
 *   event   = "_e{" title-bytes "," text-bytes "}:" title "|" text *( "|" field )
 *   check   = "_sc|" name "|" status *( "|" field )
 *
 * Lines end with LF, CR LF or the end of the bytes. A bad part never costs the line, a bad line
 * never costs the packet: each is counted by its reason.
 *
 * Sources: github.com/statsd/statsd docs/metric_types.md; docs.datadoghq.com "Datagram Format"
 * (protocol v1.0 to v1.6). */
#ifndef LEAT_PROTO_STATSD_H
#define LEAT_PROTO_STATSD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Longer names cost their line; longer tags are cut before the first tag that does not fit. */
#define LEAT_STATSD_NAME_MAX      512  /* bytes of a metric's name */
#define LEAT_STATSD_TAGS_MAX      4096 /* bytes of all tags of a line */
#define LEAT_STATSD_CONTAINER_MAX 256  /* bytes of a container id */

enum leat_statsd_type {
    LEAT_STATSD_COUNTER,      /* c */
    LEAT_STATSD_GAUGE,        /* g */
    LEAT_STATSD_TIMING,       /* ms */
    LEAT_STATSD_HISTOGRAM,    /* h */
    LEAT_STATSD_DISTRIBUTION, /* d */
    LEAT_STATSD_SET,          /* s */
    LEAT_STATSD_TYPES
};
/* "counter", "gauge", "timing", "histogram", "distribution", "set". */
extern const char *const leat_statsd_type_names[LEAT_STATSD_TYPES];

/* What was wrong. Each is counted once for the line, value or part it is about. */
enum leat_statsd_fault {
    /* The line is lost. */
    LEAT_STATSD_NO_NAME,   /* nothing before the first ':' */
    LEAT_STATSD_NO_VALUE,  /* no ':' or nothing after it */
    LEAT_STATSD_NO_TYPE,   /* no '|' after the value, or nothing after it */
    LEAT_STATSD_BAD_TYPE,  /* a type that does not exist */
    LEAT_STATSD_LONG_NAME, /* over LEAT_STATSD_NAME_MAX */
    LEAT_STATSD_BAD_EVENT, /* _e{…} that does not hold together */
    LEAT_STATSD_BAD_CHECK, /* _sc without name or with a status that is no 0 to 3 */
    /* The value is lost; others of the same line are kept. */
    LEAT_STATSD_BAD_VALUE,  /* no number */
    LEAT_STATSD_NOT_FINITE, /* NaN or infinite */
    /* The part is lost, the line is kept. */
    LEAT_STATSD_BAD_RATE,      /* no number in (0, 1], or below LEAT_STATSD_RATE_MIN */
    LEAT_STATSD_BAD_TAG,       /* without key, or without value and not enable_simple_tags */
    LEAT_STATSD_LONG_TAGS,     /* over LEAT_STATSD_TAGS_MAX, or too many: the rest is lost */
    LEAT_STATSD_BAD_TIMESTAMP, /* no number, or on a type that has none */
    LEAT_STATSD_BAD_CONTAINER, /* empty or over LEAT_STATSD_CONTAINER_MAX */
    LEAT_STATSD_EMPTY_PART,    /* "||" */
    LEAT_STATSD_UNKNOWN_PART,
    /* Nothing is lost. */
    LEAT_STATSD_NOT_UTF8, /* bytes were replaced by U+FFFD */
    LEAT_STATSD_FAULTS
};
/* Words for the label of a metric: "no_name", "bad_rate", … */
extern const char *const leat_statsd_fault_names[LEAT_STATSD_FAULTS];

#define LEAT_STATSD_RATE_MIN 1e-9 /* one sample then stands for 10^9 */

/* An event or a service check. All bytes lie in the line. */
struct leat_statsd_notice {
    bool check;                 /* a service check; else an event */
    uint8_t status;             /* check: 0 ok, 1 warning, 2 critical, 3 unknown */
    struct leat_bytes name;     /* check: its name; event: its title */
    struct leat_bytes text;     /* check: m:; event: its text. Line breaks are written "\n" */
    struct leat_bytes host;     /* h: */
    struct leat_bytes key;      /* k: aggregation key */
    struct leat_bytes priority; /* p: */
    struct leat_bytes source;   /* s: source type name */
    struct leat_bytes alert;    /* t: error, warning, info or success */
    struct leat_bytes tags;     /* after '#', without it */
    struct leat_bytes container;
    int64_t time; /* d:, in seconds since 1970; 0: none */
};

#define LEAT_STATSD_TAIL_MAX (LEAT_STATSD_TAGS_MAX + LEAT_STATSD_CONTAINER_MAX + 32)

enum leat_statsd_line_flag {
    LEAT_STATSD_SIGNED = 1 << 0,  /* the (first) value begins with '+' or '-' */
    LEAT_STATSD_SKIP = 1 << 1,    /* the first value cannot be read */
    LEAT_STATSD_PACKED = 1 << 2,  /* more values follow */
    LEAT_STATSD_STAMPED = 1 << 3, /* has a timestamp of its own */
    LEAT_STATSD_NOTICE = 1 << 4,  /* an event or a service check: `name` is the whole line */
};

/* One line, read. Everything lies in the bytes given, or in the reader. */
struct leat_statsd_line {
    const uint8_t *name;
    /* What tells series of one name apart: tags, then "|c:" and the container, then "|T" and the
     * timestamp, of these what is there. */
    const uint8_t *tail;
    const uint8_t *values, *values_end; /* all of them, as written */
    double value;                       /* the first; not of a set */
    double weight;                      /* 1 / rate */
    int64_t stamp;                      /* STAMPED: seconds since 1970 */
    uint16_t name_len, tail_len;        /* one after the other: they are read together */
    uint8_t type, flags;
};
_Static_assert(offsetof(struct leat_statsd_line, tail_len) ==
                   offsetof(struct leat_statsd_line, name_len) + sizeof(uint16_t),
               "name_len and tail_len are read together");

#define LEAT_STATSD_SCRATCH 16384

/* Over one datagram or run of lines. */
struct leat_statsd_reader {
    const uint8_t *at, *end;
    uint64_t *faults; /* LEAT_STATSD_FAULTS of them, counted up */
    uint64_t lines;   /* not empty, so far */
    uint32_t used;
    uint8_t scratch[LEAT_STATSD_SCRATCH]; /* tails that are not in one piece */
};

void leat_statsd_begin(struct leat_statsd_reader *r, struct leat_bytes data, uint64_t *faults);
/* Goes on with other bytes; the lines read so far stay valid. */
void leat_statsd_go_on(struct leat_statsd_reader *r, struct leat_bytes data);
/* The lines read so far are done with, and what was put together for them. */
static inline void leat_statsd_settle(struct leat_statsd_reader *r)
{
    r->used = 0;
}
/* Reads the next lines, `max` at most; what cannot be read is counted and passed over. Returns how
 * many. It is the end when r->at is r->end, else there are `max`, or leat_statsd_settle() must come
 * first. */
uint32_t leat_statsd_read(struct leat_statsd_reader *r, struct leat_statsd_line *lines,
                          uint32_t max);
/* The value after this one, of a packed line: to *ret; *at begins behind the first ':'. 1, 0: there
 * is none left, -1: it cannot be read and was counted. */
int leat_statsd_more(const struct leat_statsd_line *line, const uint8_t **at, uint64_t *faults,
                     double *ret, bool *ret_signed);

/* Reads the whole line of an event or a service check; parts that are bad are counted. false: the
 * line is lost, and counted. */
bool leat_statsd_notice_read(struct leat_bytes line, uint64_t *faults,
                             struct leat_statsd_notice *ret);

enum leat_statsd_number { LEAT_STATSD_NUMBER, LEAT_STATSD_NO_NUMBER, LEAT_STATSD_INFINITE };
/* The double nearest to a decimal number (sign, digits, point, exponent), whatever the locale; all
 * of `text` is the number. INFINITE: too large, or "inf" or "nan" in any case. */
enum leat_statsd_number leat_statsd_number(struct leat_bytes text, double *ret);

#endif
