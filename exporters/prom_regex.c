/* Regular expressions by an automaton: K. Thompson, "Regular expression search algorithm" (1968).
 */
#include "exporters/prom_regex.h"

#include <stdint.h>

#include "base/mem.h"

#define TEXT_MAX   ((size_t)256) /* bytes of an expression */
#define CODE_MAX   1000          /* instructions, after repeats are written out */
#define RANGES_MAX 400
#define DEPTH_MAX  30    /* of parentheses: how deep alternatives() calls itself */
#define PARSE_MAX  20000 /* atoms looked at, repeats included */
#define REPEAT_MAX 1000
#define NO_LIMIT   UINT32_MAX

struct range {
    uint32_t low, high;
};

struct code {
    enum op { SET, SPLIT, FIRST, LAST, MATCH } op;
    bool negate;          /* SET */
    uint16_t from, n;     /* SET: its ranges */
    uint16_t next, other; /* SPLIT: both; else `next` follows */
};

struct threads {
    uint16_t at[CODE_MAX];
    uint32_t seen[CODE_MAX]; /* the round it was added in */
    size_t n;
};

struct leat_scrape_regex {
    struct code code[CODE_MAX];
    struct range ranges[RANGES_MAX];
    size_t ncode, nranges;
    struct threads a, b;
    uint32_t round;
    uint16_t stack[2 * CODE_MAX];
};

/* --- reading. Places are offsets in the text; errors stick. */

struct parser {
    struct leat_scrape_regex *r;
    struct leat_bytes in;
    const char *why;
    unsigned depth, atoms;
};

static size_t fail(struct parser *p, const char *why)
{
    if (p->why == NULL)
        p->why = why;
    return p->in.len;
}

static uint16_t emit(struct parser *p, struct code c)
{
    if (p->r->ncode == CODE_MAX) {
        fail(p, "a regular expression that is too large, repeats written out");
        return 0;
    }
    c.next = (uint16_t)(p->r->ncode + 1);
    p->r->code[p->r->ncode] = c;
    return (uint16_t)p->r->ncode++;
}

static void add_range(struct parser *p, uint32_t low, uint32_t high)
{
    if (p->r->nranges == RANGES_MAX)
        fail(p, "a regular expression with too many ranges");
    else
        p->r->ranges[p->r->nranges++] = (struct range){low, high};
}

/* The character at `at`; bytes that are no UTF-8 are themselves. */
static uint32_t character(struct leat_bytes in, size_t at, size_t *ret_len)
{
    struct leat_bytes b = leat_bytes(in.data + at, in.len - at);
    size_t n = leat_utf8_len(b);
    uint32_t c = b.data[0];

    *ret_len = n == 0 ? 1 : n;
    if (n < 2)
        return n == 0 ? 0x110000 + c : c;
    c &= 0xffU >> (n + 1);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (b.data[i] & 0x3f);
    return c;
}

/* Behind a backslash, one character. False: it is none of those that stand for one. */
static bool escaped(uint32_t c, uint32_t *ret)
{
    static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";

    for (size_t i = 0; i < sizeof from - 1; i++)
        if (c == (uint8_t)from[i]) {
            *ret = (uint8_t)to[i];
            return true;
        }
    *ret = c;
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
}

/* The ranges of \d, \w, \s, or of their opposites. False: it is none of them. */
static bool add_kind(struct parser *p, uint32_t c)
{
    static const struct range digits[] = {{'0', '9'}},
                              words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
                              blanks[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
    static const struct {
        char name;
        const struct range *ranges;
        size_t n;
    } kinds[] = {{'d', digits, 1}, {'w', words, 4}, {'s', blanks, 3}};

    for (size_t k = 0; k < 3; k++) {
        uint32_t low = 0;

        if (c != (uint8_t)kinds[k].name && c != (uint8_t)(kinds[k].name - 'a' + 'A'))
            continue;
        for (size_t i = 0; i < kinds[k].n; i++) {
            if (c == (uint8_t)kinds[k].name)
                add_range(p, kinds[k].ranges[i].low, kinds[k].ranges[i].high);
            else
                add_range(p, low, kinds[k].ranges[i].low - 1);
            low = kinds[k].ranges[i].high + 1;
        }
        if (c != (uint8_t)kinds[k].name)
            add_range(p, low, UINT32_MAX);
        return true;
    }
    return false;
}

/* Where the class that begins at `at` ends: behind its bracket. */
static size_t end_of_class(struct parser *p, size_t at)
{
    size_t first = at + 1 + (at + 1 < p->in.len && p->in.data[at + 1] == '^');

    for (at = first; at < p->in.len; at++) {
        if (p->in.data[at] == ']' && at != first)
            return at + 1;
        if (p->in.data[at] == '\\')
            at++;
    }
    return fail(p, "a [ without its ]");
}

/* Where the atom that begins at `at` ends. */
static size_t end_of_atom(struct parser *p, size_t at)
{
    size_t depth = 0, n;

    do {
        uint8_t c = p->in.data[at];

        n = 1;
        if (c == '\\')
            n = 2;
        else if (c == '[')
            n = end_of_class(p, at) - at;
        else if (c == '(')
            depth++;
        else if (c == ')' && depth == 0)
            return fail(p, "a ) without its (");
        else if (c == ')')
            depth--;
        else
            character(p->in, at, &n);
        at += n;
    } while (depth != 0 && at < p->in.len && p->why == NULL);
    if (depth != 0)
        return fail(p, "a ( without its )");
    return at <= p->in.len ? at : fail(p, "a backslash at the end");
}

static uint32_t number(struct parser *p, size_t *at)
{
    uint32_t n = 0;

    while (*at < p->in.len && p->in.data[*at] >= '0' && p->in.data[*at] <= '9' && n <= REPEAT_MAX)
        n = n * 10 + (uint32_t)(p->in.data[(*at)++] - '0');
    return n;
}

/* {n}, {n,} or {n,m} at `at`; false, and it is just a brace. */
static bool braces(struct parser *p, size_t *at, uint32_t *low, uint32_t *high)
{
    size_t i = *at + 1, from = i;

    *low = number(p, &i);
    if (i == from || i == p->in.len)
        return false;
    *high = *low;
    if (p->in.data[i] == ',') {
        from = ++i;
        *high = number(p, &i);
        if (i == from)
            *high = NO_LIMIT;
    }
    if (i == p->in.len || p->in.data[i] != '}')
        return false;
    if (*low > REPEAT_MAX || (*high != NO_LIMIT && (*high > REPEAT_MAX || *high < *low)))
        fail(p, "repeats of more than 1000, or the wrong way round");
    *at = i + 1;
    return true;
}

/* How often the atom before `at` is repeated; returns what follows. */
static size_t quantifier(struct parser *p, size_t at, uint32_t *low, uint32_t *high)
{
    uint8_t c = at < p->in.len ? p->in.data[at] : 0;

    *low = *high = 1;
    if (c == '*' || c == '+' || c == '?') {
        *low = c == '+';
        *high = c == '?' ? 1 : NO_LIMIT;
        at++;
    } else if (c != '{' || !braces(p, &at, low, high)) {
        return at;
    }
    if (at < p->in.len && p->in.data[at] == '?')
        at++; /* lazy: whether it fits is the same */
    if (at < p->in.len && (p->in.data[at] == '*' || p->in.data[at] == '+' || p->in.data[at] == '?'))
        return fail(p, "a repeat of a repeat");
    return at;
}

/* One character or end of a range in a class. */
static uint32_t class_character(struct parser *p, size_t *at)
{
    size_t n;
    uint32_t c = character(p->in, *at, &n);

    *at += n;
    if (c != '\\')
        return c;
    c = character(p->in, *at, &n);
    *at += n;
    if (!escaped(c, &c))
        fail(p, "an escape that is not known here");
    return c;
}

static void class_of(struct parser *p, size_t at, size_t end)
{
    struct code c = {.op = SET, .from = (uint16_t)p->r->nranges};
    uint32_t low, high;

    at++;
    end--;
    c.negate = at < end && p->in.data[at] == '^';
    at += c.negate;
    while (at < end && p->why == NULL) {
        if (p->in.data[at] == '[' && at + 1 < end && p->in.data[at + 1] == ':')
            fail(p, "[[:…:]] is not known here");
        if (p->in.data[at] == '\\' && add_kind(p, p->in.data[at + 1])) {
            at += 2;
            continue;
        }
        low = high = class_character(p, &at);
        if (at + 1 < end && p->in.data[at] == '-') {
            at++;
            high = class_character(p, &at);
        }
        if (high < low)
            fail(p, "a range the wrong way round");
        add_range(p, low, high);
    }
    c.n = (uint16_t)(p->r->nranges - c.from);
    emit(p, c);
}

static void one_of(struct parser *p, uint32_t low, uint32_t high)
{
    struct code c = {.op = SET, .from = (uint16_t)p->r->nranges, .n = 1};

    add_range(p, low, high);
    emit(p, c);
}

static void escape(struct parser *p, size_t at)
{
    struct code c = {.op = SET, .from = (uint16_t)p->r->nranges};
    size_t n;
    uint32_t v = character(p->in, at + 1, &n);

    if (add_kind(p, v)) {
        c.n = (uint16_t)(p->r->nranges - c.from);
        emit(p, c);
    } else if (escaped(v, &v)) {
        one_of(p, v, v);
    } else {
        fail(p, "an escape that is not known here");
    }
}

static void alternatives(struct parser *p, size_t at, size_t end);

static void group(struct parser *p, size_t at, size_t end)
{
    at++;
    end--;
    if (at < end && p->in.data[at] == '?') {
        if (at + 1 == end || p->in.data[at + 1] != ':')
            fail(p, "of (?…) only (?:…) is known here");
        at += 2;
    }
    if (p->depth == DEPTH_MAX)
        fail(p, "parentheses too deep");
    if (p->why != NULL)
        return;
    p->depth++;
    alternatives(p, at, end);
    p->depth--;
}

static void atom(struct parser *p, size_t at, size_t end)
{
    uint8_t c = p->in.data[at];
    size_t n;

    if (++p->atoms > PARSE_MAX)
        fail(p, "a regular expression that is too large, repeats written out");
    if (p->why != NULL)
        return;
    if (c == '(')
        group(p, at, end);
    else if (c == '[')
        class_of(p, at, end);
    else if (c == '.')
        one_of(p, 0, UINT32_MAX);
    else if (c == '^')
        emit(p, (struct code){.op = FIRST});
    else if (c == '$')
        emit(p, (struct code){.op = LAST});
    else if (c == '*' || c == '+' || c == '?')
        fail(p, "a repeat of nothing");
    else if (c == '\\')
        escape(p, at);
    else
        one_of(p, character(p->in, at, &n), character(p->in, at, &n));
}

static void repeat(struct parser *p, size_t at, size_t end, uint32_t low, uint32_t high)
{
    uint16_t split, skips = 0;
    size_t begin = p->r->ncode;

    for (uint32_t i = 0; i < low && p->why == NULL; i++) {
        begin = p->r->ncode;
        atom(p, at, end);
    }
    if (high == NO_LIMIT && low != 0) { /* back to the last of them */
        split = emit(p, (struct code){.op = SPLIT});
        p->r->code[split].other = (uint16_t)begin;
    } else if (high == NO_LIMIT) {
        split = emit(p, (struct code){.op = SPLIT});
        atom(p, at, end);
        p->r->code[emit(p, (struct code){.op = SPLIT})].other = split;
        p->r->code[split].other = (uint16_t)p->r->ncode;
    } else {
        for (uint32_t i = low; i < high && p->why == NULL; i++) { /* each may be the end */
            split = emit(p, (struct code){.op = SPLIT});
            p->r->code[split].other = skips;
            skips = split;
            atom(p, at, end);
        }
        for (uint32_t i = low; i < high && p->why == NULL; i++) {
            split = p->r->code[skips].other;
            p->r->code[skips].other = (uint16_t)p->r->ncode;
            skips = split;
        }
    }
}

static void sequence(struct parser *p, size_t at, size_t end)
{
    while (at < end && p->why == NULL) {
        size_t stop = end_of_atom(p, at), next;
        uint32_t low, high;

        if (p->why != NULL)
            return;
        next = quantifier(p, stop, &low, &high);
        if (p->why == NULL)
            repeat(p, at, stop, low, high);
        at = next;
    }
}

/* The first bar outside of parentheses, or `end`. */
static size_t find_bar(struct parser *p, size_t at, size_t end)
{
    while (at < end && p->why == NULL && p->in.data[at] != '|')
        at = end_of_atom(p, at);
    return at < end ? at : end;
}

static void alternatives(struct parser *p, size_t at, size_t end)
{
    size_t bar = find_bar(p, at, end);
    uint16_t split, jump, jumps = 0;
    size_t njumps = 0;

    for (; bar < end && p->why == NULL; bar = find_bar(p, at, end)) {
        split = emit(p, (struct code){.op = SPLIT});
        sequence(p, at, bar);
        jump = emit(p, (struct code){.op = SPLIT});
        p->r->code[split].other = (uint16_t)p->r->ncode;
        p->r->code[jump].other = jumps; /* for now, the one before */
        jumps = jump;
        njumps++;
        at = bar + 1;
    }
    if (p->why == NULL)
        sequence(p, at, end);
    for (; njumps != 0 && p->why == NULL; njumps--) {
        jump = jumps;
        jumps = p->r->code[jump].other;
        p->r->code[jump].next = p->r->code[jump].other = (uint16_t)p->r->ncode;
    }
}

struct leat_scrape_regex *leat_scrape_regex_new(struct leat_bytes text, const char **ret_why)
{
    struct leat_scrape_regex *r = leat_try_zeroed(sizeof *r);
    struct parser p = {.r = r, .in = text};

    *ret_why = "no memory for a regular expression";
    if (r == NULL)
        return NULL;
    if (text.len > TEXT_MAX)
        fail(&p, "a regular expression of more than 256 bytes");
    if (p.why == NULL)
        alternatives(&p, 0, text.len);
    if (p.why == NULL)
        emit(&p, (struct code){.op = MATCH});
    if (p.why == NULL)
        return r;
    *ret_why = p.why;
    leat_free(r);
    return NULL;
}

void leat_scrape_regex_free(struct leat_scrape_regex *r)
{
    leat_free(r);
}

/* --- matching */

/* Adds `from` and all that follows without reading a character. */
static void add(struct leat_scrape_regex *r, struct threads *t, uint16_t from, bool first,
                bool last)
{
    size_t n = 0;

    r->stack[n++] = from;
    while (n != 0) {
        uint16_t at = r->stack[--n];
        const struct code *c = &r->code[at];

        if (t->seen[at] == r->round)
            continue;
        t->seen[at] = r->round;
        if (c->op == SET || c->op == MATCH)
            t->at[t->n++] = at;
        else if (c->op == SPLIT || (c->op == FIRST && first) || (c->op == LAST && last))
            r->stack[n++] = c->next;
        if (c->op == SPLIT)
            r->stack[n++] = c->other;
    }
}

static bool is_in(const struct leat_scrape_regex *r, const struct code *c, uint32_t v)
{
    for (uint16_t i = 0; i < c->n; i++)
        if (v >= r->ranges[c->from + i].low && v <= r->ranges[c->from + i].high)
            return !c->negate;
    return c->negate;
}

static void next_round(struct leat_scrape_regex *r, struct threads *t)
{
    t->n = 0;
    if (++r->round != 0)
        return;
    memset(r->a.seen, 0, sizeof r->a.seen); /* it has come round: nothing is seen */
    memset(r->b.seen, 0, sizeof r->b.seen);
    r->round = 1;
}

bool leat_scrape_regex_match(struct leat_scrape_regex *r, struct leat_bytes text, size_t *steps)
{
    struct threads *now = &r->a, *then = &r->b, *swap;
    size_t at = 0, len;

    next_round(r, now);
    add(r, now, 0, true, text.len == 0);
    while (at < text.len && now->n != 0) {
        uint32_t v = character(text, at, &len);

        at += len;
        *steps += now->n + 1;
        next_round(r, then);
        for (size_t i = 0; i < now->n; i++) {
            const struct code *c = &r->code[now->at[i]];

            if (c->op == SET && is_in(r, c, v))
                add(r, then, c->next, false, at == text.len);
        }
        swap = now;
        now = then;
        then = swap;
    }
    *steps += now->n + 1;
    for (size_t i = 0; at == text.len && i < now->n; i++)
        if (r->code[now->at[i]].op == MATCH)
            return true;
    return false;
}
