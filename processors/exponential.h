/* The exponential half of processors/distribution.h, where the contracts are. */
#ifndef LEAT_PROCESSORS_EXPONENTIAL_H
#define LEAT_PROCESSORS_EXPONENTIAL_H

#include "processors/streams.h"
#include "proto/metric_point.h"

struct leat_exponential;

enum leat_streams_answer leat_exponential_set(struct leat_streams *s, struct leat_stream *stream,
                                              const struct leat_point *p);
enum leat_streams_answer leat_exponential_add(struct leat_streams *s, struct leat_stream *stream,
                                              const struct leat_point *p);
void leat_exponential_show(const struct leat_exponential *e, struct leat_point *p);
bool leat_exponential_is_later(const struct leat_exponential *e, const struct leat_point *p);
enum leat_streams_answer leat_exponential_since(struct leat_streams *s, struct leat_stream *stream,
                                                struct leat_point *p);

#endif
