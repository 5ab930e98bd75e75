/* Reads remote-write requests by protobuf-c, independently of the writer, and says in words what is
 * in them: one line for each TimeSeries and each piece of metadata, the same for 1.0 and 2.0. */
#ifndef LEAT_TESTS_PROM_READ_H
#define LEAT_TESTS_PROM_READ_H

#include "base/bytes.h"
#include "base/text.h"
#include "proto/prom_write.h"

/* What a series line has of 2.0's metadata and created timestamp. */
enum prom_read_detail { PROM_READ_PLAIN, PROM_READ_ALL };

/* Appends the lines. NULL, or what is wrong: not well-formed, labels not sorted or twice there,
 * symbols that are not used, do not exist or are there twice, spans that do not fit the deltas … */
const char *prom_read(enum leat_prom_message message, struct leat_bytes request,
                      enum prom_read_detail detail, struct leat_text *out);

/* The finished request of the writer as a message: a snappy block is inflated by the library.
 * `room` holds it then. */
struct leat_bytes prom_read_finish(struct leat_prom_write *w, struct leat_text *room);

/* The lines in the order of their bytes. */
void prom_read_sort(struct leat_text *lines);

/* Pieces of a line, for who makes such lines from something else. A value: all digits, "stale",
 * "NaN"; text in quotes; name='value'. */
void prom_read_value(struct leat_text *out, double v);
void prom_read_quoted(struct leat_text *out, struct leat_bytes text);
void prom_read_label(struct leat_text *out, struct leat_bytes name, struct leat_bytes value);

#endif
