/* Dates as HTTP writes them. */
#include "io/http_date.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define DATE_MAX     40 /* bytes of the longest form, with room to spare */
#define DAY_SECONDS  86400
#define YEAR_SECONDS 31556952 /* the mean one */

static int month_of(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++) {
        if (memcmp(names + 3 * i, name, 3) == 0)
            return i + 1;
    }
    return 0;
}

/* Days since 1970-01-01 in the Gregorian calendar, counting years from March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t era, of_era, of_year;

    year -= month <= 2;
    era = year / 400;
    of_era = year - era * 400;
    of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* A year of two digits that seems more than 50 years ahead means the past (RFC 9110). */
static int full_year(int two_digits)
{
    int now = (int)(leat_clock_wall() / LEAT_SEC / YEAR_SECONDS) + 1970;
    int year = now / 100 * 100 + two_digits;

    return year > now + 50 ? year - 100 : year;
}

int leat_http_date_read(struct leat_bytes text, int64_t *ret)
{
    char s[DATE_MAX + 1], month[4] = "";
    int day = 0, year = 0, hour = 0, min = 0, sec = 0, used = 0, m;

    if (text.len > DATE_MAX || text.len < 20 || memchr(text.data, 0, text.len) != NULL)
        return -1;
    memcpy(s, text.data, text.len);
    s[text.len] = '\0';
    if (sscanf(s, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, month, &year, &hour,
               &min, &sec, &used) == 6 &&
        used == (int)text.len) {
        /* the form of today */
    } else if (sscanf(s, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &day, month, &year,
                      &hour, &min, &sec, &used) == 6 &&
               used == (int)text.len) {
        year = full_year(year < 0 ? 0 : year);
    } else if (sscanf(s, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &day, &hour, &min,
                      &sec, &year, &used) != 6 ||
               used != (int)text.len) {
        return -1;
    }
    m = strlen(month) == 3 ? month_of(month) : 0;
    if (m == 0 || day < 1 || day > 31 || year < 1900 || hour < 0 || hour > 23 || min < 0 ||
        min > 59 || sec < 0 || sec > 60)
        return -1;
    *ret = days_of(year, m, day) * DAY_SECONDS + hour * 3600 + min * 60 + sec;
    return 0;
}
