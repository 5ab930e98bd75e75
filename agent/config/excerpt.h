/* One line of a source with a caret under a place in it. */
#ifndef LEAT_CONFIG_EXCERPT_H
#define LEAT_CONFIG_EXCERPT_H

#include <stddef.h>
#include <stdio.h>

#include "config/diag.h"

/* The line with its number, and below it a caret at at->column, as wide as at->width. Tabs are
 * shown as blanks; of a long line only the part around the column. Nothing when the line does not
 * exist.
 */
void leat_excerpt_print(const char *text, size_t len, const struct leat_place *at, FILE *out,
                        int colour);
/* The length in bytes of the character at `s`, or 0 when it must not be shown as it is: a control
 * character, or not UTF-8. */
size_t leat_excerpt_char(const char *s, size_t left);
/* The start of a line (from 1); *ret_len: without its line break. NULL: there is no such line.
 * Lines end at LF, CR or CR LF, as in YAML. */
const char *leat_excerpt_line(const char *text, size_t len, size_t line, size_t *ret_len);

#endif
