/* Any text as a query with match[]: it is refused with a sentence, or chooses from some series;
 * what it chooses does not depend on what it was asked before. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "exporters/prom_match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct leat_scrape_family families[] = {
    {.name = {(const uint8_t *)"up", 2}, .kind = LEAT_SCRAPE_GAUGE},
    {.name = {(const uint8_t *)"lat_seconds", 11}, .kind = LEAT_SCRAPE_HISTOGRAM},
    {.name = {(const uint8_t *)"a.b", 3}, .kind = LEAT_SCRAPE_SUMMARY},
};
#define FAMILIES (sizeof families / sizeof *families)

static const char *const blocks[] = {
    "", "job=\"x\"", "a=\"\",instance=\"h:1\",job=\"a\\\\b\\\"\\n\"", "\"x.y\"=\"1\",z=\"2\""};
#define BLOCKS (sizeof blocks / sizeof *blocks)

static unsigned ask(struct leat_scrape_match *m)
{
    unsigned chosen = 0;

    for (size_t f = 0; f < FAMILIES; f++) {
        bool some = leat_scrape_match_family(m, &families[f]);

        for (size_t b = 0; b < BLOCKS; b++) {
            struct leat_scrape_series s = {.labels = leat_bytes_str(blocks[b])};
            bool this_one = leat_scrape_match_series(m, &s);

            LEAT_CHECK(some || !this_one);
            chosen |= (unsigned)this_one << (f * BLOCKS + b);
        }
    }
    return chosen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_scrape_match *m;
    struct leat_err err = {""};

    if (size > 4096)
        return 0;
    if (leat_scrape_match_new(leat_bytes(data, size), &m, &err) < 0) {
        LEAT_CHECK(err.text[0] != '\0' && m == NULL);
        return 0;
    }
    if (m != NULL)
        LEAT_CHECK(ask(m) == ask(m));
    leat_scrape_match_free(m);
    return 0;
}
