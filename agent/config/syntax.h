/* What can be wrong with YAML before it is a tree: in our words, and where. */
#ifndef LEAT_CONFIG_SYNTAX_H
#define LEAT_CONFIG_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Turns byte positions into lines and columns. Made for positions that mostly grow. */
struct leat_cursor {
    const char *text;
    size_t len;
    size_t pos;
    uint32_t line, column;
};

void leat_cursor_init(struct leat_cursor *c, const char *text, size_t len);
void leat_cursor_move(struct leat_cursor *c, size_t pos);
/* Characters from `from` to `to`, at most to the end of the line. */
uint32_t leat_cursor_width(const struct leat_cursor *c, size_t from, size_t to);

/* What the YAML library must not be given: NUL and other characters YAML forbids, text that is not
 * UTF-8. NULL: fine; otherwise the sentence, and where. */
const char *leat_syntax_check(const char *text, size_t len, size_t *ret_pos);
/* The library's message as a sentence and a hint (NULL: none). `line` is the text of the line the
 * error is on. */
const char *leat_syntax_sentence(const char *message, const char *line, size_t len,
                                 const char **ret_hint);
/* The byte position of a line and column as the library counts them (from 1, characters). */
size_t leat_syntax_position(const char *text, size_t len, int line, int column);

#endif
