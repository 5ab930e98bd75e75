/* A processor of metrics in its surroundings, fed with points in a line each, and what it passes on
 * in the same words:
 *
 *     sd NAME ATTR START TIME 5 | 2.5 | none     a monotonic sum, "none": no recorded value
 *     ud NAME ATTR START TIME …                  a sum that is not monotonic
 *     g- NAME ATTR START TIME …                  a gauge
 *     hd NAME ATTR START TIME COUNT SUM MIN MAX [bounds] [counts]
 *     ed NAME ATTR START TIME SCALE COUNT SUM ZEROS THRESHOLD OFFSET[counts] OFFSET[counts]
 *
 * The second letter is the temporality: d, c or -. SUM, MIN and MAX may be "-". */
#ifndef LEAT_TESTS_DELTA_BENCH_H
#define LEAT_TESTS_DELTA_BENCH_H

#include "lib/flow_rig.h"
#include "lib/path_conf.h"

struct delta_bench {
    struct rig rig;
    struct path_conf conf;
    const struct leat_component *component;
    void *self;
    struct leat_text in, out; /* the last request, and what came of it */
    uint32_t batches, items;
    bool same_buffer; /* the last batch came through untouched */
    struct leat_status answer;
    bool closed;                /* by hand */
    const struct leat_buf *fed; /* private */
};

void delta_bench_open(struct delta_bench *b, const struct leat_component *c, const char *yaml,
                      size_t memory);
void delta_bench_close(struct delta_bench *b);
/* Feeds the lines as one request, one metric for each, and returns the lines that came of it. */
const char *delta_bench_feed(struct delta_bench *b, const char *lines);
/* The same with a request made by hand; the caller's status is returned. */
struct leat_status delta_bench_request(struct delta_bench *b, struct leat_bytes request);
/* The lines as a batch, for which `c` (initialised here) waits; and a batch through the processor,
 * whose lines are in b->out. */
struct leat_batch *delta_bench_batch(const char *lines, struct rig_caller *c);
void delta_bench_take(struct delta_bench *b, struct leat_batch *batch);
/* Writes lines as a request; shows a request as lines. */
void delta_bench_write(const char *lines, struct leat_text *out);
void delta_bench_show(struct leat_bytes request, struct leat_text *out);
uint64_t delta_bench_counter(struct delta_bench *b, const char *name, const char *label,
                             const char *value);

#endif
