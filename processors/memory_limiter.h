/* What the house asks of the memory_limiter: its limits become the byte budget at the entrance. */
#ifndef LEAT_PROCESSORS_MEMORY_LIMITER_H
#define LEAT_PROCESSORS_MEMORY_LIMITER_H

#include "flow/component.h"

extern const struct leat_component leat_processor_memory_limiter;

/* Bytes above which it refuses: limit minus spike limit, of `total` where they are percentages. */
uint64_t leat_memory_limiter_limit(const void *conf, uint64_t total);

#endif
