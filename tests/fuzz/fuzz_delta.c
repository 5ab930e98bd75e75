/* Any metrics request that passes the check goes through deltatocumulative and cumulativetodelta:
 * what comes out passes it too, and the room that was made for it was enough. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/log.h"
#include "fuzz/otlp_mutator.h"
#include "lib/delta_bench.h"
#include "proto/otlp_view.h"

extern const struct leat_component leat_processor_deltatocumulative,
    leat_processor_cumulativetodelta;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    size = otlp_mutate(data, size, max, seed, 1);
    if (size > 0)
        data[0] = LEAT_METRICS;
    return size;
}

/* Temporality is a random number in a random request, and seldom one that matters: the same request
 * with all of them `to`. */
static void set_temporality(struct leat_bytes in, uint8_t to, uint8_t *out)
{
    memcpy(out, in.data, in.len);
    for (size_t i = 0; i + 1 < in.len; i++) {
        if (out[i] == 0x10 && out[i + 1] > 2 && out[i + 1] < 0x80)
            out[i + 1] = to;
    }
}

static void play(const struct leat_component *c, struct leat_bytes request)
{
    static struct delta_bench b;

    delta_bench_open(&b, c, "", (size_t)1 << 20);
    for (int i = 0; i < 3; i++)
        delta_bench_request(&b, request); /* checks what comes out */
    delta_bench_close(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t changed[1 << 20];
    const struct leat_log_conf quiet = {.level = LEAT_LOG_ERROR};
    struct leat_otlp_count count;
    struct leat_bytes in;
    const char *why;

    if (size < 1 || size > sizeof changed)
        return 0;
    leat_log_setup(&quiet, NULL);
    for (uint8_t to = 1; to <= 2; to++) {
        set_temporality(leat_bytes(data + 1, size - 1), to, changed);
        in = leat_bytes(changed, size - 1);
        if (leat_otlp_check(LEAT_METRICS, in, &count, &why) != LEAT_OTLP_OK || count.items == 0)
            continue;
        play(&leat_processor_deltatocumulative, in);
        play(&leat_processor_cumulativetodelta, in);
    }
    return 0;
}
