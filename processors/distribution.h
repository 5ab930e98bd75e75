/* Histograms of a stream: added up, or taken from one another. A point that is read (with
 * proto/metric_point.h) is held against what the stream's block remembers. */
#ifndef LEAT_PROCESSORS_DISTRIBUTION_H
#define LEAT_PROCESSORS_DISTRIBUTION_H

#include "processors/streams.h"
#include "proto/metric_point.h"

#define LEAT_EXPONENTIAL_WIDTH 160u /* buckets on each side of a sum; fewer by a coarser scale */
#define LEAT_EXPONENTIAL_BYTES (2 * LEAT_EXPONENTIAL_WIDTH * 10 + 32) /* of that many, encoded */
#define LEAT_EXPONENTIAL_SCALE                                                                     \
    100 /* no scale beyond this, or below its negative, means anything                             \
         */

/* It can be computed with: an exponential histogram's scale and offsets are within bounds. */
bool leat_distribution_is_sane(const struct leat_point *p);

/* The stream is what the point says from now on, whatever it was. Not YES: it is as it was. */
enum leat_streams_answer leat_distribution_set(struct leat_streams *s, struct leat_stream *stream,
                                               const struct leat_point *p);
/* The stream and the point can be added and compared: explicit bounds are the same. */
bool leat_distribution_fits(const struct leat_stream *stream, const struct leat_point *p);

/* Adds the point to the stream, which it fits. Exponential histograms take the coarser scale and
 * the higher zero threshold of both, and are made coarser until they are no wider than
 * LEAT_EXPONENTIAL_WIDTH. Not YES: nothing was changed. */
enum leat_streams_answer leat_distribution_add(struct leat_streams *s, struct leat_stream *stream,
                                               const struct leat_point *p);
/* The point's numbers become the stream's; its arrays are the stream's, until that changes. */
void leat_distribution_show(const struct leat_stream *stream, struct leat_point *p);

/* Both were cumulative: the point becomes what was added since, the stream what the point was. The
 * point must fit. False: the point cannot come after that, something in it is less. */
bool leat_distribution_is_later(const struct leat_stream *stream, const struct leat_point *p);
enum leat_streams_answer leat_distribution_since(struct leat_streams *s, struct leat_stream *stream,
                                                 struct leat_point *p);

#endif
