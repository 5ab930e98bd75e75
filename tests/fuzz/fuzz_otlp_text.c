/* A checked request as text for people, in every form: nothing in it can steer a terminal or forge
 * a line's characters, and the maximum is kept. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "fuzz/otlp_mutator.h"
#include "proto/otlp_text.h"
#include "proto/otlp_view.h"

#define WHOLE ((size_t)16 << 20)

typedef void (*writer)(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                       struct leat_text *out);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    static const char nasty[][3] = {"\xc2\x9b", "\x1b[", "\xe2\x80", "\xae\"", "\x7f\n"};
    const char *with = nasty[seed / 4 % 5];

    size = otlp_mutate(data, size, max, seed, 2);
    if (seed % 4 == 0 && size > 8) { /* lengths stay right */
        size_t at = 2 + seed / 20 % (size - 4);
        memcpy(data + at, with, 2);
    }
    return size;
}

static void pretty(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                   struct leat_text *out)
{
    leat_otlp_text_pretty(signal, parts, n, false, out);
}

static void coloured(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                     struct leat_text *out)
{
    leat_otlp_text_pretty(signal, parts, n, true, out);
}

/* Lines end and tabs stand, nothing turns the direction of text around; an escape is one of our own
 * colours: ESC [ digits and ; up to m. */
static void check_characters(struct leat_bytes b, bool colour)
{
    LEAT_CHECK(leat_bytes_utf8(b));
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.data[i];
        if (colour && c == 0x1b) {
            LEAT_CHECK(b.data[++i] == '[');
            do
                i++;
            while ((b.data[i] >= '0' && b.data[i] <= '9') || b.data[i] == ';');
            LEAT_CHECK(b.data[i] == 'm');
            continue;
        }
        LEAT_CHECK(c >= 0x20 || c == '\n' || c == '\t');
        LEAT_CHECK(c != 0x7f && !(c == 0xc2 && b.data[i + 1] < 0xa0)); /* DEL, C1 */
        LEAT_CHECK(c != 0xe2 || b.data[i + 1] != 0x80 || b.data[i + 2] != 0xae);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const writer writers[] = {leat_otlp_text_basic, leat_otlp_text_normal,
                                     leat_otlp_text_detailed, pretty, coloured};
    struct leat_otlp_count count;
    struct leat_bytes parts[2];
    enum leat_signal signal;
    const char *why;

    if (size < 2)
        return 0;
    signal = (enum leat_signal)(data[0] % LEAT_SIGNALS);
    parts[0] = parts[1] = leat_bytes(data + 2, size - 2);
    if (leat_otlp_check(signal, parts[0], &count, &why) != LEAT_OTLP_OK)
        return 0;
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        struct leat_text whole, cut;

        leat_text_init(&whole, WHOLE);
        writers[i](signal, parts, 2, &whole);
        if (leat_text_ok(&whole))
            check_characters(leat_text_bytes(&whole), writers[i] == coloured);
        leat_text_init(&cut, whole.len * data[1] / 256);
        writers[i](signal, parts, 2, &cut);
        LEAT_CHECK(cut.len <= cut.max && (!leat_text_ok(&cut) || whole.len == cut.len));
        leat_text_done(&cut);
        leat_text_done(&whole);
    }
    return 0;
}
