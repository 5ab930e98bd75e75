/* What can be wrong with YAML before it is a tree: in our words, and where. */
#include "config/syntax.h"

#include <string.h>

#include "base/bytes.h"
#include "config/excerpt.h"

/* The library (0.7.12) takes stack for the lines of a block text, and for empty ones in a row the
 * square of their number in time. */
#define MAX_LINES 100000
#define MAX_EMPTY 10000

void leat_cursor_init(struct leat_cursor *c, const char *text, size_t len)
{
    *c = (struct leat_cursor){.text = text, .len = len, .line = 1, .column = 1};
}

void leat_cursor_move(struct leat_cursor *c, size_t pos)
{
    if (pos > c->len)
        pos = c->len;
    if (pos < c->pos)
        leat_cursor_init(c, c->text, c->len);
    for (; c->pos < pos; c->pos++) {
        unsigned char b = (unsigned char)c->text[c->pos];
        bool crlf = b == '\r' && c->pos + 1 < c->len && c->text[c->pos + 1] == '\n';
        if (b == '\n' || (b == '\r' && !crlf)) {
            c->line++;
            c->column = 1;
        } else if ((b & 0xc0) != 0x80 && !crlf) {
            c->column++;
        }
    }
}

uint32_t leat_cursor_width(const struct leat_cursor *c, size_t from, size_t to)
{
    uint32_t n = 0;

    for (size_t i = from; i < to && i < c->len; i++) {
        if (c->text[i] == '\n' || c->text[i] == '\r')
            break;
        n += ((unsigned char)c->text[i] & 0xc0) != 0x80;
    }
    return n;
}

static size_t first_bad_utf8(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t n = leat_utf8_len(leat_bytes(text + at, len - at));
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

/* YAML 1.2.2 section 5.1, c-printable */
static bool forbidden(const char *text, size_t at, size_t len)
{
    unsigned char c = (unsigned char)text[at], d = at + 1 < len ? (unsigned char)text[at + 1] : 0;
    unsigned char e = at + 2 < len ? (unsigned char)text[at + 2] : 0;

    if (c < 0x20)
        return c != '\t' && c != '\n' && c != '\r';
    if (c == 0x7f)
        return true;
    if (c == 0xc2)
        return d < 0xa0 && d != 0x85;
    return c == 0xef && d == 0xbf && (e == 0xbe || e == 0xbf);
}

const char *leat_syntax_check(const char *text, size_t len, size_t *ret_pos)
{
    size_t lines = 0, empty = 0;

    *ret_pos = 0;
    if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return "the text is UTF-16: save it as UTF-8";
    if (!leat_bytes_utf8(leat_bytes(text, len))) {
        *ret_pos = first_bad_utf8(text, len);
        return "the text is not UTF-8 from here on";
    }
    for (size_t i = 0; i < len; i++) {
        *ret_pos = i;
        if (forbidden(text, i, len))
            return "YAML does not allow this control character";
        if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == len || text[i + 1] != '\n'))) {
            if (++lines > MAX_LINES)
                return "the text has more than 100,000 lines";
            if (++empty > MAX_EMPTY)
                return "more than 10,000 empty lines in a row";
        } else if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') {
            empty = 0;
        }
    }
    return NULL;
}

static const struct {
    const char *part, *sentence, *hint;
} sentences[] = {
    {"without closing quote", "this quoted text has no closing quote", NULL},
    {"wrongly indented double-quoted", "this quoted text has no closing quote on its line",
     "lines that continue it must be indented deeper than its key"},
    {"wrongly indented single-quoted", "this quoted text has no closing quote on its line",
     "lines that continue it must be indented deeper than its key"},
    {"sequence without a closing", "a '[' is not closed by ']'", NULL},
    {"missing comma in flow", "a ',' or the closing bracket is missing before this", NULL},
    {"extra closing", "this bracket was never opened", NULL},
    {"mismatched flow", "this bracket does not match the one that was opened", NULL},
    {"comma in the beginning", "there is nothing before this ','", NULL},
    {"extra comma", "there is nothing before this ','", NULL},
    {"nested block mapping on the same line", "a second ': ' on one line",
     "put quotes around the value when the ':' belongs to it"},
    {"key on same line as previous key", "a second key on one line", NULL},
    {"multiline plain key",
     "this line and the next do not fit together: a ':' is missing, or the "
     "next line is indented too deep",
     NULL},
    {"could not find expected ':'", "a ':' after this key is missing", NULL},
    {"missing ':'", "a ':' after this key is missing", NULL},
    {"mapping in plain multiline", "this key is indented less than the ones it belongs to", NULL},
    {"invalid indentation in mapping", "this line is indented differently from the keys above it",
     NULL},
    {"indent for mapping", "this line is indented differently from the keys above it", NULL},
    {"indent for sequence", "this item is indented differently from the items above it", NULL},
    {"wrongly indented sequence item", "this item is indented differently from the items above it",
     NULL},
    {"did not find expected key", "a key was expected here", NULL},
    {"invalid value after mapping", "a key was expected here", NULL},
    {"end of block sequence", "a list item ('- ') was expected here", NULL},
    {"expected '-' indicator", "a list item ('- ') was expected here", NULL},
    {"block sequence on the same line", "a list cannot start on the line of its key", NULL},
    {"cannot start with '%'", "a value cannot start with '%' unless it is quoted", NULL},
    {"cannot start with '@'", "a value cannot start with '@' unless it is quoted", NULL},
    {"cannot start with '`'", "a value cannot start with '`' unless it is quoted", NULL},
    {"plain scalar cannot start", "a value cannot start like this unless it is quoted", NULL},
    {"invalid escape", "unknown escape in a double-quoted text",
     "write '\\\\' for a backslash, or use single quotes"},
    {"hex escape", "unfinished escape in a double-quoted text", NULL},
    {"UTF8 escape", "this escape is no character", NULL},
    {"trailing content", "nothing may follow the closing quote", NULL},
    {"comment without whitespace", "a comment needs a blank before its '#'", NULL},
    {"block scalar", "the lines of this block text are not indented as they must be", NULL},
    {"depth limit", "brackets are nested too deep", NULL},
    {"document start", "this does not belong to the document", NULL},
    {"directive", "directives ('%') are not supported", NULL},
    {"tag", "this tag is not well-formed", NULL},
    {"anchor", "this anchor ('&') is misplaced", NULL},
    {"alias", "this alias ('*') is misplaced", NULL},
};

/* A tab among the blanks at the start of the line. */
static bool indented_by_tab(const char *line, size_t len)
{
    size_t i = 0;

    while (i < len && (line[i] == ' ' || line[i] == '\t')) {
        if (line[i++] == '\t')
            return true;
    }
    return false;
}

const char *leat_syntax_sentence(const char *message, const char *line, size_t len,
                                 const char **ret_hint)
{
    *ret_hint = NULL;
    if (strstr(message, "tab") != NULL || (line != NULL && indented_by_tab(line, len))) {
        *ret_hint = "indent with blanks";
        return "a tab in the indentation: YAML allows only blanks there";
    }
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        if (strstr(message, sentences[i].part) != NULL) {
            *ret_hint = sentences[i].hint;
            return sentences[i].sentence;
        }
    }
    return "this is not well-formed YAML";
}

size_t leat_syntax_position(const char *text, size_t len, int line, int column)
{
    size_t line_len, at = 0;
    const char *s = leat_excerpt_line(text, len, line > 0 ? (size_t)line : 1, &line_len);

    if (s == NULL)
        return len;
    for (int i = 1; i < column && at < line_len; i++) {
        at++;
        while (at < line_len && ((unsigned char)s[at] & 0xc0) == 0x80)
            at++;
    }
    return (size_t)(s - text) + at;
}
