/* From OTLP requests that are written step by step to the lines of what remote write sends. */
#ifndef LEAT_TESTS_PROM_RIG_H
#define LEAT_TESTS_PROM_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "proto/metric_point.h"
#include "proto/otlp_make.h"
#include "proto/prom_feed.h"

#define PROM_RIG_MS    UINT64_C(1000000)
#define PROM_RIG_START (UINT64_C(1000000) * PROM_RIG_MS) /* of what was counted */
#define PROM_RIG_NOW   (UINT64_C(1060000) * PROM_RIG_MS)
#define PROM_RIG_BYTES ((size_t)64 << 20)

extern struct prom_rig {
    struct leat_prom_feed_conf conf; /* 1.0, without target_info, until a test says otherwise */
    struct leat_text otlp;           /* the request */
    struct leat_make make;           /* writes it */
    struct leat_text got;            /* lines as prom_read() makes them, in their order */
    struct leat_text dropped;        /* "metric: why", one line each */
    uint32_t requests;               /* that were made */
} prom_rig;

int prom_rig_setup(void **state); /* of cmocka, before and after each test */
int prom_rig_teardown(void **state);

/* --- the request */

void prom_rig_begin(void); /* a new one */
/* A resource with service.name, instance id and one attribute, each if not NULL; and a scope. */
void prom_rig_open_resource(const char *service, const char *instance, const char *region);
void prom_rig_close_resource(void);
/* Begins a metric; its points are field 1 of what is open afterwards. */
void prom_rig_open_metric(const char *name, const char *unit, enum leat_metric_type type);
void prom_rig_close_metric(unsigned temporality, bool monotonic);
/* Fields of a point that is open. */
void prom_rig_times(uint64_t start, uint64_t time);
void prom_rig_doubles(uint32_t field, const double *v, size_t n);
void prom_rig_counts(uint32_t field, const uint64_t *v, size_t n);
void prom_rig_exemplar(uint32_t field, double v, uint64_t time, uint8_t trace, const char *key,
                       const char *value);
/* A whole number point. */
void prom_rig_number_point(const char *key, const char *value, uint64_t time, double v);
/* Opens a histogram point: count 7, up to four bounds, the last +Inf, and up to five buckets. */
extern const uint64_t prom_rig_buckets[5];
void prom_rig_histogram(size_t nbounds, size_t ncounts, bool sum, unsigned flags);

/* --- what becomes of it */

/* Sends it through, twice (the second time all series are known), in requests of at most `max`
 * bytes; fails when the two differ or when a request is not as it must be. */
void prom_rig_feed_within(size_t max);
void prom_rig_feed(void);
void prom_rig_expect(const char *lines); /* feeds, and compares */

#endif
