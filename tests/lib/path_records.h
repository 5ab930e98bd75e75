/* OTLP requests whose every record has a name, and the names found again in what arrives. */
#ifndef LEAT_TESTS_PATH_RECORDS_H
#define LEAT_TESTS_PATH_RECORDS_H

#include "base/bytes.h"
#include "base/signal.h"
#include "base/text.h"

/* A request of one resource with records "<name>-0" … : span names, metric names, bodies. */
void path_request(enum leat_signal signal, const char *name, uint32_t items, struct leat_text *out);
/* The same with delta sums. */
void path_request_deltas(const char *name, uint32_t items, struct leat_text *out);
/* Visits the names of the records in a request. */
void path_names(enum leat_signal signal, struct leat_bytes request,
                void (*visit)(void *arg, struct leat_bytes name), void *arg);

/* How often each name was seen. */
struct path_seen {
    struct leat_map *times;
    uint64_t total;
};
void path_seen_init(struct path_seen *s);
void path_seen_done(struct path_seen *s);
void path_seen_request(struct path_seen *s, enum leat_signal signal, struct leat_bytes request);
uint32_t path_seen_times(const struct path_seen *s, const char *name, uint32_t i);
/* All of "<name>-0" … were seen exactly once. */
bool path_seen_once(const struct path_seen *s, const char *name, uint32_t items);

#endif
