/* What an unknown key was probably meant to be. */
#include "config/suggest.h"

#include <stdio.h>
#include <string.h>

#include "config/document.h"

#define MAX_WORDS 256 /* keys of one level that are compared */
#define MAX_DOWN  4   /* levels below that are searched */
#define MAX_PLACE 160

bool leat_suggest_known(const struct leat_field *fields, const char *key)
{
    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        if (f->type == LEAT_F_INLINE) {
            if (leat_suggest_known(f->group, key))
                return true;
        } else if (strcmp(f->name, key) == 0 || (f->alias != NULL && strcmp(f->alias, key) == 0)) {
            return true;
        }
    }
    return false;
}

static size_t collect(const struct leat_field *fields, const char **words, size_t n)
{
    for (const struct leat_field *f = fields; f->name != NULL && n < MAX_WORDS; f++) {
        if (f->type == LEAT_F_INLINE)
            n = collect(f->group, words, n);
        else
            words[n++] = f->name;
    }
    return n;
}

/* Breadth first by asking for one depth after the other: the nearest place is the likeliest. Writes
 * "tls" or "retry.backoff" to `place`. */
static bool below(const struct leat_field *fields, const char *key, unsigned depth,
                  char place[MAX_PLACE])
{
    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        size_t len = strlen(place);
        if (f->type == LEAT_F_INLINE && below(f->group, key, depth, place))
            return true;
        if (f->type != LEAT_F_GROUP || f->group == NULL)
            continue;
        snprintf(place + len, MAX_PLACE - len, "%s%s", len == 0 ? "" : ".", f->name);
        if (depth == 0 ? leat_suggest_known(f->group, key) : below(f->group, key, depth - 1, place))
            return true;
        place[len] = '\0';
    }
    return false;
}

const char *leat_suggest_hint(const struct leat_suggest *here, const char *key, char *buf,
                              size_t size)
{
    const char *words[MAX_WORDS + 1], *word;
    char place[MAX_PLACE] = "";

    for (unsigned depth = 0; depth < MAX_DOWN; depth++) {
        if (below(here->fields, key, depth, place)) {
            snprintf(buf, size, "it belongs under '%s'", place);
            return buf;
        }
    }
    words[collect(here->fields, words, 0)] = NULL;
    word = leat_nearest(key, words);
    if (word != NULL) {
        snprintf(buf, size, "did you mean '%s'?", word);
        return buf;
    }
    for (const struct leat_suggest *s = here->outer; s != NULL; s = s->outer) {
        if (leat_suggest_known(s->fields, key)) {
            snprintf(buf, size, "it belongs %s level%s up", s == here->outer ? "one" : "some",
                     s == here->outer ? "" : "s");
            return buf;
        }
    }
    return NULL;
}
