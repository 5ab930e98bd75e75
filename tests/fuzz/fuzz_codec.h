/* One fuzz target per codec: any bytes go in; what comes out is within the cap, charged exactly,
 * and survives being compressed and inflated again. The file that includes this names the codec. */
#include <stdint.h>
#include <string.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "io/codec.h"

#define FUZZ_MAX    ((size_t)1 << 20)
#define FUZZ_BUDGET ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void fuzz_round_trip(struct leat_codecs *cs, struct leat_budget *budget,
                            const struct leat_buf *body)
{
    struct leat_bytes half[2] = {leat_bytes(body->data, body->len / 2),
                                 leat_bytes(body->data + body->len / 2, body->len - body->len / 2)};
    struct leat_buf *packed, *again;

    LEAT_CHECK(leat_deflate(cs, FUZZ_CODEC, LEAT_LEVEL_DEFAULT, half, 2, budget, &packed, NULL) ==
               LEAT_CODEC_OK);
    LEAT_CHECK(leat_inflate(cs, FUZZ_CODEC, leat_bytes(packed->data, packed->len), body->len,
                            budget, &again, NULL) == LEAT_CODEC_OK);
    LEAT_CHECK(again->len == body->len && memcmp(again->data, body->data, body->len) == 0);
    leat_buf_unref(packed);
    leat_buf_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct leat_codecs *cs;
    static struct leat_budget budget;
    struct leat_buf *out;
    struct leat_err err = {""};
    enum leat_codec_result result;

    if (cs == NULL) {
        cs = leat_codecs_new();
        leat_budget_init(&budget, FUZZ_BUDGET);
    }
    result = leat_inflate(cs, FUZZ_CODEC, leat_bytes(data, len), FUZZ_MAX, &budget, &out, &err);
    LEAT_CHECK((result == LEAT_CODEC_OK) == (out != NULL));
    LEAT_CHECK((result == LEAT_CODEC_OK) == (err.text[0] == '\0'));
    if (out != NULL) {
        LEAT_CHECK(out->len <= FUZZ_MAX && out->cap == out->len);
        LEAT_CHECK(leat_budget_used(&budget) == out->cap);
        fuzz_round_trip(cs, &budget, out);
    }
    leat_buf_unref(out);
    LEAT_CHECK(leat_budget_used(&budget) == 0);
    return 0;
}
