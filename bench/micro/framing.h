/* A server on the loopback interface that is fed recorded requests: what receiving and answering
 * them costs. */
#pragma once
#include <stdbool.h>

#include "base/bytes.h"

#define FRAMING_REQUESTS 64

/* Starts the server, records the requests, connects. */
void framing_begin(bool grpc, struct leat_bytes request);
/* Feeds all of them and takes the answers. */
void framing_run(void);
void framing_end(void);
