/* Numbers with units, as people write them: the only parser of each. */
#ifndef LEAT_CONFIG_UNITS_H
#define LEAT_CONFIG_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* Go's duration syntax: "1h30m", "1.5s", "-2ms", "100us", "0". 0, or -1: not one, or too large.
 * Nanoseconds. */
int leat_parse_duration(const char *text, int64_t *ret);
/* Bytes: "1048576", "64KiB", "20MiB", "2GB", "1.5GiB"; K/M/G/T without "iB" or "B" are powers of
 * 1024. */
int leat_parse_size(const char *text, uint64_t *ret);
/* "40%", "12.5%": above 0, at most 100. */
int leat_parse_percent(const char *text, double *ret);
/* Whole numbers as YAML 1.2 and Go's YAML write them: decimal, 0x, 0o, 0b, "_" between digits,
 * sign. */
int leat_parse_int(const char *text, int64_t *ret);
int leat_parse_float(const char *text, double *ret);
int leat_parse_bool(const char *text, int *ret); /* true/false as YAML 1.2 core: true True TRUE */
/* Back to words, shortest form that parses to the same value. Returns `out`. */
char *leat_format_duration(int64_t nanoseconds, char *out, size_t size);
char *leat_format_size(uint64_t bytes, char *out, size_t size);

#endif
