/* How much telemetry may be held. */
#include "run/memory.h"

#include <string.h>

#include "base/err.h"
#include "config/units.h"
#include "processors/memory_limiter.h"
#include "run/limits.h"

#define LEAST       (UINT64_C(4) << 20)
#define MOST        (UINT64_C(2) << 30) /* when nobody said anything */
#define CGROUP_PART 2                   /* half of a cgroup's limit, */
#define HOST_PART   4                   /* a quarter of a machine's memory */

static int parse(const char *text, uint64_t total, uint64_t *ret, struct leat_err *err)
{
    double percent;

    if (leat_parse_percent(text, &percent) == 0) {
        *ret = (uint64_t)((double)total * percent / 100);
        if (*ret >= LEAST)
            return 0;
        return leat_fail(err, "'%s' of the memory there is (%llu MiB) is less than 4MiB", text,
                         (unsigned long long)(total >> 20));
    }
    if (leat_parse_size(text, ret) == 0 && *ret >= LEAST)
        return 0;
    return leat_fail(err,
                     "'%s' is neither a size of at least 4MiB (like 200MiB) nor a percentage "
                     "(like 40%%)",
                     text);
}

int leat_memory_check(const char *text, struct leat_err *err)
{
    uint64_t bytes;
    int is_cgroup;

    return parse(text, leat_limits_memory(&is_cgroup), &bytes, err);
}

int leat_memory_of(const struct leat_plan *plan, uint64_t *ret, const char **ret_source,
                   struct leat_err *err)
{
    int is_cgroup;
    uint64_t total = leat_limits_memory(&is_cgroup), least = UINT64_MAX;

    if (plan->own.memory != NULL) {
        *ret_source = "leat.memory";
        return parse(plan->own.memory, total, ret, err) < 0 ? leat_fail_in(err, "leat.memory") : 0;
    }
    for (size_t i = 0; i < plan->nitems; i++) {
        uint64_t limit;
        if (plan->items[i].component != &leat_processor_memory_limiter)
            continue;
        limit = leat_memory_limiter_limit(plan->items[i].conf, total);
        least = limit < least ? limit : least;
    }
    if (least != UINT64_MAX) {
        *ret = least < LEAST ? LEAST : least;
        *ret_source = "memory_limiter";
        return 0;
    }
    *ret = total / (is_cgroup ? CGROUP_PART : HOST_PART);
    *ret = *ret > MOST ? MOST : *ret < LEAST ? LEAST : *ret;
    *ret_source = is_cgroup ? "half of the cgroup's limit" : "a quarter of the machine's memory";
    return 0;
}
