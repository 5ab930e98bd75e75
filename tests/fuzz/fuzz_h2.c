/* HTTP/2 behind a good preface: raw bytes, or frames put together from the input. */
#include "fuzz/fuzz_served.h"

#define PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
#define PREFACE_LEN 33

/* A header block without a state: POST, http, "/test.Service/Export", application/grpc. */
static const uint8_t block[] = "\x83\x86\x04\x14/test.Service/Export\x41\x01x\x5f\x10"
                               "application/grpc";

static void add_frame(struct leat_text *t, size_t len, const uint8_t head[3], const void *payload)
{
    uint8_t h[9] = {
        (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, head[0] % 11, head[1], 0, 0, 0,
        head[2] % 32};

    leat_text_add(t, h, sizeof h);
    leat_text_add(t, payload, len);
}

/* Four bytes say type, flags, stream and length; a HEADERS frame of length 255 gets a good block.
 */
static void frames(struct leat_text *t, const uint8_t *data, size_t len)
{
    while (len >= 4) {
        size_t n = data[3];

        if (data[0] % 11 == 1 && n == 255) {
            add_frame(t, sizeof block - 1, data, block);
            data += 4;
            len -= 4;
            continue;
        }
        n = n < len - 4 ? n : len - 4;
        add_frame(t, n, data, data + 4);
        data += 4 + n;
        len -= 4 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct leat_text t;

    if (len < 2)
        return 0;
    leat_text_init(&t, 4 << 20);
    leat_text_add(&t, PREFACE, PREFACE_LEN);
    if (data[1] & 1)
        leat_text_add(&t, data + 2, len - 2);
    else
        frames(&t, data + 2, len - 2);
    fuzz_feed((const uint8_t *)t.data, t.len, data[0]);
    leat_text_done(&t);
    return 0;
}
