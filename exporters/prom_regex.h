/* Regular expressions as Prometheus' selectors have them, by an automaton without backtracking:
 * time is bounded by the length of the expression times that of the text, memory by the expression.
 *
 * RE2's syntax: . [a-z] [^a-z] \d \w \s and their opposites, \n and the like, ( ) (?: ) | * + ?
 * {n,m} and their lazy forms, ^ $. Anchored at both ends, and a dot matches any character, as
 * there. Not known, and refused: flags as (?i), \b, \pL, [[:alpha:]], \x41. */
#ifndef LEAT_EXPORTERS_PROM_REGEX_H
#define LEAT_EXPORTERS_PROM_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct leat_scrape_regex;

/* NULL: *ret_why is a static sentence. */
struct leat_scrape_regex *leat_scrape_regex_new(struct leat_bytes text, const char **ret_why);
void leat_scrape_regex_free(struct leat_scrape_regex *r); /* takes NULL */
/* Adds what it cost, in steps of some nanoseconds, to *steps. */
bool leat_scrape_regex_match(struct leat_scrape_regex *r, struct leat_bytes text, size_t *steps);

#endif
