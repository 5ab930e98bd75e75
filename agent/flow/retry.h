/* How long to wait before the same bytes are sent again.
 *
 * Source: collector config/configretry/backoff.go: the interval grows by `multiplier` up to
 * `max_interval`, the delay is drawn evenly from interval * [1 - factor, 1 + factor]; a delay named
 * by the server is a lower bound. */
#ifndef LEAT_FLOW_RETRY_H
#define LEAT_FLOW_RETRY_H

#include "flow/sender.h"

/* Nanoseconds before attempt number `tries` + 1 (tries >= 1), or -1: `since` (the first attempt)
 * lies so far back that max_elapsed_time would be passed. */
int64_t leat_retry_delay(const struct leat_retry_conf *conf, uint32_t tries, int64_t since,
                         int64_t now, int64_t server_delay);

#endif
