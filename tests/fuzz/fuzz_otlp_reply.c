/* Replies of destinations: whatever the bytes are, a bounded valid answer; what was read can be
 * written and read again. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "proto/otlp_reply.h"

static void again(const struct leat_rpc_status *st)
{
    for (int json = 0; json < 2; json++) {
        struct leat_rpc_status got;
        struct leat_text t;

        leat_text_init(&t, 8192);
        leat_rpc_status_write(st, json, &t);
        if (!leat_text_ok(&t) || leat_rpc_status_read(leat_text_bytes(&t), json, &got) < 0 ||
            got.code != st->code || strcmp(got.message, st->message) != 0 ||
            got.has_delay != st->has_delay || got.delay_ms != st->delay_ms)
            abort();
        leat_text_done(&t);
    }
}

static void again_partial(const struct leat_otlp_partial *p)
{
    for (int json = 0; json < 2; json++) {
        struct leat_otlp_partial got;
        struct leat_text t;

        leat_text_init(&t, 8192);
        leat_otlp_response(LEAT_LOGS, p, json, &t);
        if (!leat_text_ok(&t) ||
            leat_otlp_response_read(LEAT_LOGS, leat_text_bytes(&t), json, &got) < 0 ||
            got.rejected != p->rejected || strcmp(got.message, p->message) != 0)
            abort();
        leat_text_done(&t);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_bytes body = leat_bytes(data, size);

    for (int json = 0; json < 2; json++) {
        struct leat_otlp_partial p;
        struct leat_rpc_status st;

        if (leat_rpc_status_read(body, json, &st) == 0)
            again(&st);
        if (!leat_bytes_utf8(leat_bytes(st.message, strlen(st.message))))
            abort();
        if (leat_otlp_response_read(LEAT_TRACES, body, json, &p) == 0)
            again_partial(&p);
        if (!leat_bytes_utf8(leat_bytes(p.message, strlen(p.message))))
            abort();
    }
    return 0;
}
