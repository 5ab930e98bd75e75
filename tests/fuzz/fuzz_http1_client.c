/* The bytes of HTTP/1.1 answers, in pieces as the input says, one answer after the other. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "io/client_h1.h"

#define MAX_ANSWER 4096

static const char *const kept[LEAT_ANSWER_KEPT] = {"date", "x"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const struct leat_incoming *in)
{
    struct leat_answer a = leat_incoming_answer(in);

    LEAT_CHECK(a.body.len <= MAX_ANSWER);
    LEAT_CHECK(a.content_type.len < 128);
    LEAT_CHECK((a.net == LEAT_NET_OK) == (a.why == NULL));
    LEAT_CHECK(in->header_bytes <= 65536);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_codecs *codecs = NULL;
    struct leat_h1_answer h;
    struct leat_incoming in;
    size_t at = 1, step = size > 0 ? data[0] & 63u : 0;
    bool head = size > 0 && (data[0] & 64);
    int rc = 0;

    while (at < size && rc == 0) {
        leat_incoming_init(&in, "peer:1", false, MAX_ANSWER, kept);
        leat_h1_answer_start(&h, &in, head);
        while (at < size && rc == 0 && !h.complete) {
            size_t n = step != 0 && step < size - at ? step : size - at;
            /* a copy of its own, so that reading past it is seen */
            uint8_t *copy = malloc(n);
            memcpy(copy, data + at, n);
            rc = leat_h1_answer_feed(&h, leat_bytes(copy, n));
            free(copy);
            at += n;
        }
        if (rc == 0 && !h.complete)
            rc = leat_h1_answer_eof(&h);
        if (rc == 0)
            leat_incoming_end(&in, &codecs);
        check_bounds(&in);
        leat_incoming_done(&in);
    }
    leat_codecs_free(codecs);
    return 0;
}
