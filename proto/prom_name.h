/* Metric names as Prometheus wants them, made of OTLP names and units.
 *
 * Behaves as github.com/prometheus/otlptranslator v1.0 (metric namer, unit namer) does, except
 * where that gives a name Prometheus would refuse; those places say "Leat". */
#ifndef LEAT_PROTO_PROM_NAME_H
#define LEAT_PROTO_PROM_NAME_H

#include <stdbool.h>

#include "base/bytes.h"

struct leat_text;

/* translation_strategy, in the configuration's words. */
enum leat_prom_strategy {
    LEAT_PROM_ESCAPE_SUFFIXES, /* UnderscoreEscapingWithSuffixes, the default */
    LEAT_PROM_ESCAPE,          /* UnderscoreEscapingWithoutSuffixes; add_metric_suffixes: false */
    LEAT_PROM_UTF8_SUFFIXES,   /* NoUTF8EscapingWithSuffixes */
    LEAT_PROM_UTF8,            /* NoTranslation */
};

/* The strategy with this name; false: there is none. */
bool leat_prom_strategy_of(const char *text, enum leat_prom_strategy *ret);

static inline bool leat_prom_strategy_is_utf8(enum leat_prom_strategy s)
{
    return s == LEAT_PROM_UTF8_SUFFIXES || s == LEAT_PROM_UTF8;
}

/* The letters and digits that names may have in every place but the first. */
static inline bool leat_prom_alnum(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26 || (uint8_t)(c - '0') < 10;
}

/* Nothing but underscores, or nothing at all. */
bool leat_prom_only_underscores(struct leat_bytes name);

/* How an exporter names its metrics. The namespace may be empty; Leat: what is not legal in it is
 * replaced (upstream prefixes it as it is where suffixes are on). */
struct leat_prom_naming {
    enum leat_prom_strategy strategy;
    struct leat_bytes namespace;
};

/* What of a metric matters to its name. */
struct leat_prom_metric {
    struct leat_bytes name, unit;
    bool gauge;     /* its data is a Gauge: unit "1" is a ratio */
    bool monotonic; /* its data is a monotonic Sum: a counter */
};

/* Appends the name. Escaped ones match [a-zA-Z_:][a-zA-Z0-9_:]*, the others are well-formed UTF-8
 * (Leat: bytes that are none become U+FFFD each). false, and `out` is as it was: nothing is left of
 * the name, the metric cannot be exported; or it did not fit and leat_text_ok(out) is false. */
bool leat_prom_name(const struct leat_prom_naming *naming, const struct leat_prom_metric *metric,
                    struct leat_text *out);

/* Appends the name of the metric that carries a resource's attributes: target_info after the
 * namespace. false: as above. */
bool leat_prom_info_name(const struct leat_prom_naming *naming, struct leat_text *out);

/* Appends the unit in words ("By/s" is "bytes_per_second", "1" and "{packet}" are nothing), as
 * metadata wants it. */
void leat_prom_unit(enum leat_prom_strategy strategy, struct leat_bytes unit,
                    struct leat_text *out);

/* Appends `text` with each byte that is no UTF-8 as U+FFFD: Prometheus refuses a whole request for
 * one such label. */
void leat_prom_add_utf8(struct leat_text *out, struct leat_bytes text);

#endif
