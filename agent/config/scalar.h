/* How texts are written in YAML. */
#ifndef LEAT_CONFIG_SCALAR_H
#define LEAT_CONFIG_SCALAR_H

#include <stdbool.h>
#include <stddef.h>

/* The text between single quotes (YAML 1.2.2 section 7.3.2), decoded here: the library (0.7.12)
 * leaks when it decodes more than four "''" in a row. The result is never longer than what it is
 * made of.
 */
size_t leat_scalar_single(const char *from, const char *end, char *out);
/* A plain word that YAML takes for nothing: null, ~, none at all. */
bool leat_scalar_is_null(const char *text);

#endif
