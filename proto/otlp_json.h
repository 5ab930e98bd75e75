/* OTLP/JSON to protobuf bytes and back.
 *
 * Source: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding": ids in hex, 64-bit
 * integers as decimal strings (numbers accepted), enums as integers (names accepted),
 * lowerCamelCase keys (snake_case accepted), unknown keys skipped, doubles also as "NaN",
 * "Infinity", "-Infinity", bytes in base64, null is the default.
 *
 * Where the specification is silent: 64- and 32-bit integers may be written 5.0 or 5e0 when they
 * are integral; base64 may lack its padding; an id of zeros only is no id; of a key that is there
 * twice the later one wins, lists are joined and sub-messages merged, as on the wire; a lone
 * surrogate escape is U+FFFD; text that is not UTF-8 is an error. In JSON out, a sub-message is
 * there when it is there in the bytes (also empty), and bytes of strings that are not UTF-8 are
 * U+FFFD. */
#ifndef LEAT_PROTO_OTLP_JSON_H
#define LEAT_PROTO_OTLP_JSON_H

#include "base/bytes.h"
#include "base/signal.h"

struct leat_budget;
struct leat_buf;
struct leat_err;
struct leat_otlp_count; /* proto/otlp_view.h */
struct leat_text;

enum leat_json_result {
    LEAT_JSON_OK,
    LEAT_JSON_BAD,       /* `err`: what and at which byte */
    LEAT_JSON_NO_MEMORY, /* budget spent or no memory: the caller may try again later */
};

/* JSON export request to protobuf bytes in a new buffer charged to `budget`. The result passes
 * leat_otlp_check(), whose count is in *ret_count. Depth and number of records are bounded as
 * there. */
enum leat_json_result leat_otlp_from_json(enum leat_signal signal, struct leat_bytes json,
                                          struct leat_budget *budget, struct leat_buf **ret,
                                          struct leat_otlp_count *ret_count, struct leat_err *err);

/* A checked request as one JSON object, without blanks or newlines ({"resourceSpans":[…]}),
 * appended to `out`. Two requests joined: pass them as `n` parts. Errors stick in `out`. */
void leat_otlp_to_json(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                       struct leat_text *out);

#endif
