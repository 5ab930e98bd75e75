/* How long to wait before the same bytes are sent again. */
#include "flow/retry.h"

#include "base/clock.h"

static double interval_of(const struct leat_retry_conf *conf, uint32_t tries)
{
    double interval = (double)conf->initial_interval, max = (double)conf->max_interval;

    for (uint32_t i = 1; i < tries && interval < max; i++) {
        if (conf->multiplier <= 1.0)
            break;
        interval *= conf->multiplier;
    }
    return interval < max ? interval : max;
}

int64_t leat_retry_delay(const struct leat_retry_conf *conf, uint32_t tries, int64_t since,
                         int64_t now, int64_t server_delay)
{
    double chance = (double)(leat_random() >> 11) / 9007199254740992.0; /* 2^53 */
    double spread = 1.0 - conf->randomization_factor + 2.0 * conf->randomization_factor * chance;
    int64_t delay = (int64_t)(interval_of(conf, tries) * spread);

    if (delay < server_delay)
        delay = server_delay;
    if (conf->max_elapsed_time > 0 && now - since + delay > conf->max_elapsed_time)
        return -1;
    return delay;
}
