/* gzip piece by piece, for a body that is made while it is sent. */
#ifndef LEAT_IO_GZIP_STREAM_H
#define LEAT_IO_GZIP_STREAM_H

#include <stdbool.h>

#include "base/bytes.h"

struct leat_text;

struct leat_gzip_stream;
struct leat_gzip_stream *leat_gzip_stream_new(void);    /* fast and small; NULL: no memory */
void leat_gzip_stream_free(struct leat_gzip_stream *g); /* takes NULL */
/* Compresses `in` and appends what comes out, which may be nothing yet; with `last` all of it and
 * the stream's end. What fails shows in `out`. */
void leat_gzip_stream_add(struct leat_gzip_stream *g, struct leat_bytes in, bool last,
                          struct leat_text *out);

#endif
