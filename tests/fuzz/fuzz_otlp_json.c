/* Any text as OTLP/JSON: what is taken passes the check with the same count, and from then on to
 * JSON and back changes nothing. With blanks in it, which is another way through the reader, it is
 * the same request or the same error. Any bytes that pass the check become JSON that can be read.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "lib/otlp_json_spaced.h"
#include "proto/otlp_json.h"
#include "proto/otlp_view.h"

static struct leat_buf *must_read(enum leat_signal s, struct leat_bytes json)
{
    struct leat_otlp_count count;
    struct leat_err err;
    struct leat_buf *buf;

    if (leat_otlp_from_json(s, json, NULL, &buf, &count, &err) != LEAT_JSON_OK)
        abort();
    return buf;
}

static void write_json(enum leat_signal s, struct leat_bytes request, struct leat_text *out)
{
    leat_text_init(out, 1 << 24);
    leat_otlp_to_json(s, &request, 1, out);
}

/* Written, read and written again it must be the same text. */
static void stable(enum leat_signal s, struct leat_bytes request)
{
    struct leat_text first, second;
    struct leat_buf *buf;

    write_json(s, request, &first);
    if (leat_text_ok(&first)) {
        buf = must_read(s, leat_text_bytes(&first));
        write_json(s, leat_bytes(buf->data, buf->len), &second);
        if (!leat_bytes_eq(leat_text_bytes(&first), leat_text_bytes(&second)))
            abort();
        leat_buf_unref(buf);
        leat_text_done(&second);
    }
    leat_text_done(&first);
}

/* `buf`, or `err` when it is NULL, came of this text. */
static void same_with_blanks(enum leat_signal s, struct leat_bytes json, const struct leat_buf *buf,
                             const struct leat_err *err)
{
    struct leat_otlp_count count;
    struct leat_text spaced;
    struct leat_buf *other;
    struct leat_err why;

    leat_text_init(&spaced, 1 << 24);
    otlp_json_spaced(json, &spaced);
    if (leat_otlp_from_json(s, leat_text_bytes(&spaced), NULL, &other, &count, &why) !=
        LEAT_JSON_OK) {
        if (buf != NULL || strcmp(otlp_json_sentence(err->text), otlp_json_sentence(why.text)) != 0)
            abort();
    } else if (buf == NULL || other->len != buf->len ||
               memcmp(other->data, buf->data, buf->len) != 0) {
        abort();
    }
    leat_buf_unref(other);
    leat_text_done(&spaced);
}

static void from_text(enum leat_signal s, struct leat_bytes json)
{
    struct leat_otlp_count count, checked;
    struct leat_buf *buf;
    struct leat_err err;
    const char *why;

    if (leat_otlp_from_json(s, json, NULL, &buf, &count, &err) != LEAT_JSON_OK) {
        same_with_blanks(s, json, NULL, &err);
        return;
    }
    same_with_blanks(s, json, buf, NULL);
    if (leat_otlp_check(s, leat_bytes(buf->data, buf->len), &checked, &why) != LEAT_OTLP_OK ||
        checked.items != count.items || checked.resources != count.resources)
        abort();
    stable(s, leat_bytes(buf->data, buf->len));
    leat_buf_unref(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_bytes in;
    enum leat_signal s;
    struct leat_otlp_count count;
    const char *why;

    if (size == 0)
        return 0;
    s = (enum leat_signal)(data[0] % LEAT_SIGNALS);
    in = leat_bytes(data + 1, size - 1);
    if (data[0] & 0x80) {
        if (leat_otlp_check(s, in, &count, &why) == LEAT_OTLP_OK)
            stable(s, in);
    } else {
        from_text(s, in);
    }
    return 0;
}
