/* Looks at the bytes of an OTLP export request without decoding them.
 *
 * An export request of each signal is nothing but a repeated field 1 (ResourceSpans,
 * ResourceMetrics, ResourceLogs): opentelemetry-proto, collector/…_service.proto. So the bytes of
 * two requests one after the other are the joined request, and any run of whole top-level entries
 * is a request of its own. */
#ifndef LEAT_PROTO_OTLP_VIEW_H
#define LEAT_PROTO_OTLP_VIEW_H

#include "base/bytes.h"
#include "base/signal.h"

#define LEAT_OTLP_DEPTH   64      /* AnyValues within one another, the outermost included */
#define LEAT_OTLP_RECORDS 1000000 /* records in one request */

struct leat_otlp_count {
    uint32_t items;     /* spans, data points, log records */
    uint32_t resources; /* top-level entries */
};

enum leat_otlp_verdict {
    LEAT_OTLP_OK,
    LEAT_OTLP_MALFORMED, /* not protobuf, wrong wire type for a known field, bad id length */
    LEAT_OTLP_TOO_DEEP,  /* more than LEAT_OTLP_DEPTH */
    LEAT_OTLP_TOO_MANY,  /* more than LEAT_OTLP_RECORDS */
};

/* Checks a whole request in one pass, allocating nothing: well-formed down to the last value, known
 * fields with their wire type (repeated scalars packed or not), trace ids of 0 or 16 bytes, span
 * ids of 0 or 8, depth, number of records. Unknown fields are passed over (but must be well-formed;
 * groups are not). Strings need not be UTF-8: bytes pass as they are. Items are counted as they
 * stand on the wire, also where a oneof of a metric is there twice. *ret_why: static sentence
 * naming the message and field, NULL when all is well; *ret is zero when it is not. */
enum leat_otlp_verdict leat_otlp_check(enum leat_signal signal, struct leat_bytes request,
                                       struct leat_otlp_count *ret, const char **ret_why);

/* Counts the items of a request that was checked before. */
struct leat_otlp_count leat_otlp_count(enum leat_signal signal, struct leat_bytes request);

/* The same for one message `m` (otlp.h) on the way from the request to its records. */
struct leat_otlp_message;
uint32_t leat_otlp_items_in(const struct leat_otlp_message *m, struct leat_bytes message);

#endif
