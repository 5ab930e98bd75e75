/* Status documents of whoever listens on an admin socket: refused with a sentence, or read; what
 * was read can be written and read again, and drawn in lines that fit. */
#include <stdlib.h>
#include <string.h>

#include "run/top_table.h"

static void draw(const struct leat_report *r, unsigned width)
{
    struct leat_top_view view = {
        .sort = (enum leat_top_column)(width % LEAT_TOP_COLUMNS), .totals = true, .width = width};
    struct leat_text t;

    leat_text_init(&t, LEAT_REPORT_BYTES);
    leat_top_header(r, &view, &t);
    leat_top_rows(r, &view, &t);
    for (size_t i = 0; i < t.len; i++) {
        if ((unsigned char)t.data[i] < 0x20 && t.data[i] != '\n')
            abort();
    }
    leat_text_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_err err = {""};
    struct leat_report *r = leat_report_read(leat_bytes(data, size), &err), *copy;
    struct leat_text t;

    if (r == NULL) {
        if (err.text[0] == '\0')
            abort();
        return 0;
    }
    leat_text_init(&t, LEAT_REPORT_BYTES);
    leat_report_write(r, &t);
    copy = leat_report_read(leat_text_bytes(&t), &err);
    if (copy == NULL || copy->nrows != r->nrows)
        abort();
    leat_report_rate(copy, r);
    draw(r, 0);
    draw(r, (unsigned)size % 200);
    leat_text_done(&t);
    leat_report_free(copy);
    leat_report_free(r);
    return 0;
}
