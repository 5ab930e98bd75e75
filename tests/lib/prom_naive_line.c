/* The naive mapping: lines. */
#include "lib/prom_naive_place.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "lib/prom_read.h"

double prom_naive_stale(void)
{
    const uint64_t bits = UINT64_C(0x7ff0000000000002);
    double d;

    memcpy(&d, &bits, 8);
    return d;
}

bool prom_naive_is_gauge(const struct prom_naive_place *p)
{
    return strcmp(p->type, "gauge") == 0;
}

/* --- lines */

void prom_naive_begin_line(struct prom_naive_place *p, const char *suffix, const char *extra,
                           const char *bound)
{
    struct leat_text full;
    struct leat_prom_set set;

    leat_text_init(&full, BYTES);
    leat_text_printf(&full, "%s%s", leat_text_get(&p->name), suffix);
    set = leat_prom_labels_series(p->labels, leat_text_bytes(&full), leat_bytes_str(extra),
                                  leat_bytes_str(bound));
    leat_text_char(p->lines, '{');
    for (uint32_t i = 0; i < set.count; i++) {
        if (i > 0)
            leat_text_char(p->lines, ',');
        prom_read_label(p->lines, set.label[i].name, set.label[i].value);
    }
    leat_text_char(p->lines, '}');
    leat_text_done(&full);
}

void prom_naive_add_time(struct prom_naive_place *p)
{
    leat_text_printf(p->lines, " @%llu", (unsigned long long)(p->time / 1000000));
    p->any = true;
    if ((int64_t)(p->time / 1000000) > p->newest)
        p->newest = (int64_t)(p->time / 1000000);
}

void prom_naive_add_value(struct prom_naive_place *p, double value)
{
    leat_text_char(p->lines, ' ');
    prom_read_value(p->lines, p->stale ? prom_naive_stale() : value);
    prom_naive_add_time(p);
}

static void add_details(struct leat_text *out, const char *type, const struct leat_text *help,
                        const struct leat_text *unit)
{
    leat_text_printf(out, " %s", type);
    if (help->len == 0 && unit->len == 0)
        return;
    leat_text_str(out, " help=");
    prom_read_quoted(out, leat_text_bytes(help));
    leat_text_str(out, " unit=");
    prom_read_quoted(out, leat_text_bytes(unit));
}

void prom_naive_end_line(struct prom_naive_place *p)
{
    if (p->conf->message == LEAT_PROM_WRITE_2) {
        add_details(p->lines, p->type, &p->help, &p->unit);
        if (!prom_naive_is_gauge(p) && p->start / 1000000 > 0 &&
            p->start / 1000000 < p->time / 1000000)
            leat_text_printf(p->lines, " created=%llu", (unsigned long long)(p->start / 1000000));
    }
    leat_text_char(p->lines, '\n');
}

void prom_naive_line(struct prom_naive_place *p, const char *suffix, double value)
{
    prom_naive_begin_line(p, suffix, "", "");
    prom_naive_add_value(p, value);
    prom_naive_end_line(p);
}

/* Digits without an exponent: as few as read back. */
const char *prom_naive_digits(double v, char out[LEAT_PROM_NUMBER])
{
    char text[40], mantissa[40];
    size_t n = 0;
    int exponent, width;

    if (isnan(v) || isinf(v))
        return isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
    for (int precision = 0; precision < 18; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    exponent = atoi(strchr(text, 'e') + 1);
    *strchr(text, 'e') = '\0';
    for (const char *c = text; *c != '\0'; c++) {
        if (*c >= '0' && *c <= '9')
            mantissa[n++] = *c;
    }
    out[0] = '\0';
    if (text[0] == '-')
        strcat(out, "-");
    if (exponent < 0)
        strcat(out, "0.");
    for (int i = -1; i > exponent; i--)
        strcat(out, "0");
    width = exponent < 0 ? (int)n : exponent + 1 > (int)n ? exponent + 1 : (int)n;
    for (int i = 0; i < width; i++) {
        char c[2] = {i < (int)n ? mantissa[i] : '0', '\0'};
        if (exponent >= 0 && i == exponent + 1)
            strcat(out, ".");
        strcat(out, c);
    }
    return out;
}
