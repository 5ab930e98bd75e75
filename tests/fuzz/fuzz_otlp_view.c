/* Any bytes as a request: the check must not crash, both its ways must agree, and what it accepts
 * protobuf-c can read and counts alike. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "fuzz/otlp_mutator.h"
#include "lib/otlp_random.h"
#include "proto/otlp.h"
#include "proto/otlp_match.h"
#include "proto/otlp_quick.h"
#include "proto/otlp_view.h"

#define ORACLE_MAX 4096 /* protobuf-c multiplies memory: small inputs only */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return otlp_mutate(data, size, max, seed, 1);
}

/* Both ways, also with all of `data` away from the request's last bytes, which are copied. */
static void compare(enum leat_signal signal, const uint8_t *data, size_t size)
{
    const struct leat_otlp_message *m = leat_otlp_request[signal];
    struct leat_otlp_count count;
    const char *why;
    size_t len = size + 4 + LEAT_OTLP_SLACK;
    uint8_t *padded = leat_new(len);
    struct leat_otlp_checker c = {.top = &m->fields[1], .safe = NULL};
    enum leat_otlp_verdict v;
    bool ok;

    if (size != 0)
        memcpy(padded, data, size);
    memcpy(padded + size, "\xc2\x3e\x80\x02", 4); /* field 1000, 256 bytes */
    v = leat_otlp_check(signal, leat_bytes(padded, len), &count, &why);
    ok = leat_otlp_check_message(&c, m, (struct leat_wire){padded, padded + len}, 0);
    LEAT_CHECK(ok == (v == LEAT_OTLP_OK));
    if (ok)
        LEAT_CHECK(c.count.items == count.items && c.count.resources == count.resources);
    else
        LEAT_CHECK(c.verdict == v && c.why == why);
    c = (struct leat_otlp_checker){.top = &m->fields[1], .safe = NULL};
    ok = leat_otlp_check_message(&c, m, (struct leat_wire){padded, padded + size}, 0);
    LEAT_CHECK(ok ==
               (leat_otlp_check(signal, leat_bytes(data, size), &count, &why) == LEAT_OTLP_OK));
    LEAT_CHECK(c.why == why);
    leat_free(padded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum leat_signal signal;
    struct leat_otlp_count count, again;
    const char *why;
    ProtobufCMessage *m = NULL;
    struct leat_otlp_walk w;
    struct leat_bytes b;
    uint32_t n = 0;

    if (size == 0)
        return 0;
    signal = (enum leat_signal)(data[0] % LEAT_SIGNALS);
    b = leat_bytes(data + 1, size - 1);
    compare(signal, b.data, b.len);
    if (leat_otlp_check(signal, b, &count, &why) != LEAT_OTLP_OK) {
        LEAT_CHECK(why != NULL && count.items == 0);
        return 0;
    }
    LEAT_CHECK(why == NULL);
    again = leat_otlp_count(signal, b);
    LEAT_CHECK(again.items == count.items && again.resources == count.resources);
    leat_otlp_walk_init(&w, signal, b);
    while (leat_otlp_walk_next(&w))
        n++;
    LEAT_CHECK(n == count.items);
    if (size > ORACLE_MAX)
        return 0;
    m = otlp_random_unpack(signal, b);
    if (m != NULL) /* it refuses tags and lengths of more than five bytes */
        LEAT_CHECK(*(size_t *)(void *)((char *)m + m->descriptor->fields[0].quantifier_offset) ==
                   count.resources);
    otlp_random_free(m);
    return 0;
}
