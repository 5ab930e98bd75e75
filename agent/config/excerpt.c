/* One line of a source with a caret under a place in it. */
#include "config/excerpt.h"

#include <string.h>

#include "base/text.h"

#define SHOWN  100 /* characters of a line that are shown */
#define BEFORE 60  /* of them at most in front of the column */
#define TAB    4   /* blanks a tab reaches to */

size_t leat_excerpt_char(const char *s, size_t left)
{
    unsigned char c = (unsigned char)s[0];
    size_t n = leat_utf8_len(leat_bytes(s, left));

    if (n == 0 || c < 0x20 || c == 0x7f)
        return 0;
    if (c == 0xc2 && (unsigned char)s[1] < 0xa0)
        return 0; /* C1 controls */
    return n;
}

/* What ends the line at `s`: its length, or 0 */
static size_t line_break(const char *s, size_t left)
{
    if (left == 0)
        return 0;
    if (s[0] == '\n')
        return 1;
    if (s[0] == '\r')
        return left > 1 && s[1] == '\n' ? 2 : 1;
    return 0;
}

static size_t line_length(const char *s, size_t left)
{
    size_t n = 0;

    while (n < left && s[n] != '\n' && s[n] != '\r')
        n++;
    return n;
}

const char *leat_excerpt_line(const char *text, size_t len, size_t line, size_t *ret_len)
{
    size_t at = 0;

    for (size_t i = 1; i <= line; i++) {
        size_t n = line_length(text + at, len - at), end = line_break(text + at + n, len - at - n);
        if (i == line) {
            *ret_len = n;
            return text + at;
        }
        if (end == 0)
            return NULL;
        at += n + end;
    }
    return NULL;
}

/* A byte that is not part of a showable character counts as one character. */
static size_t char_step(const char *s, size_t left)
{
    size_t n = leat_excerpt_char(s, left);

    return n == 0 ? 1 : n;
}

/* Terminal cells of a showable character: two for the wide ones of East Asia and emoji, none for
 * marks that combine with what stands before (Unicode 15, East Asian Width W and F; the blocks of
 * combining marks). */
static size_t cells_of(const char *s, size_t n)
{
    static const struct {
        uint32_t first, last, cells;
    } ranges[] = {{0x300, 0x36f, 0},     {0x1100, 0x115f, 2},   {0x20d0, 0x20ff, 0},
                  {0x2e80, 0x303e, 2},   {0x3041, 0x33ff, 2},   {0x3400, 0x4dbf, 2},
                  {0x4e00, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
                  {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
                  {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2},
                  {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2}};
    static const uint8_t lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (uint8_t)s[0] & lead[n];

    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((uint8_t)s[i] & 0x3f);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last)
            return ranges[i].cells;
    }
    return 1;
}

struct shown {
    struct leat_text line, carets;
    size_t screen; /* cells written to the line */
};

static void show_char(struct shown *s, const char *c, size_t n, int marked, int first)
{
    size_t cells = 1;

    if (*c == '\t') {
        cells = TAB - s->screen % TAB;
        leat_text_printf(&s->line, "%*s", (int)cells, "");
    } else if (leat_excerpt_char(c, n) == 0) {
        leat_text_char(&s->line, '?');
    } else {
        leat_text_add(&s->line, c, n);
        cells = cells_of(c, n);
    }
    for (size_t i = 0; i < cells; i++)
        leat_text_char(&s->carets, !marked ? ' ' : first && i == 0 ? '^' : '~');
    s->screen += cells;
}

/* `from` and `to`: characters from 1, to exclusive */
static void show_range(struct shown *s, const char *line, size_t len, size_t from, size_t to,
                       const struct leat_place *at)
{
    size_t column = at->column == 0 ? 1 : at->column, end = column + (at->width ? at->width : 1);
    size_t i = 1, pos = 0;

    for (; pos < len && i < to; i++) {
        size_t n = char_step(line + pos, len - pos);
        if (i >= from)
            show_char(s, line + pos, n, i >= column && i < end, i == column);
        pos += n;
    }
    if (pos < len)
        leat_text_str(&s->line, "\xe2\x80\xa6");
    else if (column >= i)
        leat_text_char(&s->carets, '^'); /* just behind the end of the line */
}

void leat_excerpt_print(const char *text, size_t len, const struct leat_place *at, FILE *out,
                        int colour)
{
    struct shown s = {.screen = 0};
    size_t n, from = 1;
    const char *line = leat_excerpt_line(text, len, at->line, &n);

    if (line == NULL)
        return;
    leat_text_init(&s.line, (size_t)SHOWN * (TAB + 4) + 16);
    leat_text_init(&s.carets, (size_t)SHOWN * TAB + 16);
    if (at->column > SHOWN - 20) {
        from = at->column - BEFORE;
        leat_text_str(&s.line, "\xe2\x80\xa6");
        leat_text_char(&s.carets, ' ');
    }
    show_range(&s, line, n, from, from + SHOWN, at);
    while (s.carets.len > 0 && s.carets.data[s.carets.len - 1] == ' ')
        s.carets.data[--s.carets.len] = '\0';
    fprintf(out, "%5u | %s\n", at->line, leat_text_get(&s.line));
    if (at->column != 0)
        fprintf(out, "      | %s%s%s\n", colour ? "\033[1;32m" : "", leat_text_get(&s.carets),
                colour ? "\033[0m" : "");
    leat_text_done(&s.line);
    leat_text_done(&s.carets);
}
