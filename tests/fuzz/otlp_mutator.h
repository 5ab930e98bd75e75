/* Now and then gives the fuzzer a random valid request to change, behind `head` bytes that the
 * target reads for itself. */
#ifndef LEAT_TESTS_OTLP_MUTATOR_H
#define LEAT_TESTS_OTLP_MUTATOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/otlp_random.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* Of one signal; the head is random. */
static inline size_t otlp_mutate_as(enum leat_signal signal, uint8_t *data, size_t size, size_t max,
                                    unsigned seed, size_t head)
{
    struct otlp_random r = {seed};
    ProtobufCMessage *m;
    struct leat_text t, u;

    if (otlp_random_below(&r, 30) != 0 || max < head)
        return LLVMFuzzerMutate(data, size, max);
    for (size_t i = 0; i < head; i++)
        data[i] = (uint8_t)otlp_random_next(&r);
    if (signal == LEAT_SIGNALS)
        signal = (enum leat_signal)(data[0] % LEAT_SIGNALS);
    leat_text_init(&t, OTLP_RANDOM_MAX);
    leat_text_init(&u, OTLP_RANDOM_MAX);
    m = otlp_random_request(&r, signal, 2);
    otlp_random_pack(m, &t);
    otlp_random_scramble(&r, m->descriptor, leat_text_bytes(&t), true, &u);
    size = head;
    if (u.len != 0 && u.len <= max - head) {
        memcpy(data + head, u.data, u.len);
        size += u.len;
    }
    leat_text_done(&t);
    leat_text_done(&u);
    otlp_random_free(m);
    return size;
}

/* Of the signal that the first byte says. */
static inline size_t otlp_mutate(uint8_t *data, size_t size, size_t max, unsigned seed, size_t head)
{
    return otlp_mutate_as((enum leat_signal)LEAT_SIGNALS, data, size, max, seed, head);
}

#endif
