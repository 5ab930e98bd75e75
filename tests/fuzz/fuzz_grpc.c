/* gRPC's small formats: what is written is read back the same. */
#include "base/check.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/grpc.h"

static void message(const uint8_t *data, size_t len)
{
    char *plain = leat_strndup((const char *)data, len);
    struct leat_text wire, back;

    leat_text_init(&wire, 3 * len + 1);
    leat_text_init(&back, len + 1);
    leat_grpc_message_read(leat_bytes(data, len), &back); /* never fails, never grows */
    LEAT_CHECK(leat_text_ok(&back) && back.len <= len);
    leat_text_clear(&back);
    leat_grpc_message_write(plain, &wire);
    leat_grpc_message_read(leat_text_bytes(&wire), &back);
    LEAT_CHECK(strcmp(leat_text_get(&back), plain) == 0);
    for (size_t i = 0; i < wire.len; i++)
        LEAT_CHECK(wire.data[i] >= 0x20 && wire.data[i] <= 0x7e);
    leat_text_done(&wire);
    leat_text_done(&back);
    leat_free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t prefix[LEAT_GRPC_PREFIX];
    int64_t ns = 0, again = 0;
    bool compressed;
    uint32_t n;
    char text[16];

    if (len >= LEAT_GRPC_PREFIX && leat_grpc_prefix_read(data, &compressed, &n) == 0) {
        leat_grpc_prefix_write(prefix, compressed, n);
        LEAT_CHECK(memcmp(prefix, data, sizeof prefix) == 0);
    }
    if (leat_grpc_timeout_read(leat_bytes(data, len), &ns) == 0) {
        LEAT_CHECK(ns >= 0);
        leat_grpc_timeout_write(ns, text);
        LEAT_CHECK(leat_grpc_timeout_read(leat_bytes_str(text), &again) == 0);
        LEAT_CHECK(again >= ns || again / 3600000000000 == 99999999);
    }
    message(data, len);
    return 0;
}
