/* JSON written with blanks where there may be some: what our reader does of the usual shape in one
 * go it then reads step by step, and both must agree. */
#ifndef TESTS_OTLP_JSON_SPACED_H
#define TESTS_OTLP_JSON_SPACED_H

#include "base/bytes.h"
#include "base/text.h"

/* `json`, well-formed or not, with a blank on both sides of all that is no value; appended. */
void otlp_json_spaced(struct leat_bytes json, struct leat_text *out);

/* What an error of the JSON reader says behind the place. */
const char *otlp_json_sentence(const char *error);

#endif
