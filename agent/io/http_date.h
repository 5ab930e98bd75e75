/* Dates as HTTP writes them. */
#ifndef LEAT_IO_HTTP_DATE_H
#define LEAT_IO_HTTP_DATE_H

#include <stdint.h>

#include "base/bytes.h"

/* "Sun, 06 Nov 1994 08:49:37 GMT" and the two older forms (RFC 9110 section 5.6.7) to seconds since
 * 1970. -1: none of them. */
int leat_http_date_read(struct leat_bytes text, int64_t *ret);

#endif
