#include "http/date.h"

enum { SECONDS_PER_DAY = 86400 };
#define LAST_SECOND   INT64_C(253402300799) /* of the year 9999 */
#define FIRST_SECOND  INT64_C(-62167219200) /* of the year 0 */
#define FIFTY_YEARS_S (INT64_C(50) * 31556952)

static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char long_day_names[7][10] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"
};
static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct civil {
    int year, month, day; /* month 1-12 */
    int hour, minute, second;
};

/* Days since 1970 in the Gregorian calendar. They are counted in eras of 400 years that begin on 1 March, so that the
 * leap day is the last day of its year and months need no table. timegm is not used, since it takes the lock of the
 * time zone. */
static int64_t date_days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil date_civil_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* from March */
    struct civil civil = { .day = (int)(day_of_year - (153 * month + 2) / 5 + 1) };
    civil.month = (int)(month < 10 ? month + 3 : month - 9);
    civil.year = (int)(year_of_era + era * 400 + (civil.month <= 2));
    return civil;
}

static char *date_put(char *to, const char *text, size_t length)
{
    memcpy(to, text, length);
    return to + length;
}

static char *date_put_number(char *to, int64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        to[i] = (char)('0' + number % 10);
    return to + digits;
}

void gw_date_print(char *text, int64_t unix_seconds)
{
    int64_t at = unix_seconds < FIRST_SECOND ? FIRST_SECOND : unix_seconds > LAST_SECOND ? LAST_SECOND : unix_seconds;
    int64_t days = at / SECONDS_PER_DAY, seconds = at % SECONDS_PER_DAY;
    if (seconds < 0) {
        seconds += SECONDS_PER_DAY;
        days--;
    }
    struct civil civil = date_civil_of(days);
    text = date_put(text, day_names[((days + 4) % 7 + 7) % 7], 3); /* 1 January 1970 was a Thursday */
    text = date_put(text, ", ", 2);
    text = date_put_number(text, civil.day, 2);
    text = date_put(text, " ", 1);
    text = date_put(text, month_names[civil.month - 1], 3);
    text = date_put(text, " ", 1);
    text = date_put_number(text, civil.year, 4);
    text = date_put(text, " ", 1);
    text = date_put_number(text, seconds / 3600, 2);
    text = date_put(text, ":", 1);
    text = date_put_number(text, seconds / 60 % 60, 2);
    text = date_put(text, ":", 1);
    text = date_put_number(text, seconds % 60, 2);
    date_put(text, " GMT", 4);
}

/* Each reader removes its part from the front of *text. False: the part is not there. Case does not matter (RFC 9111
 * §4.2). */

static bool date_take(struct gw_slice *text, const char *what)
{
    size_t length = strlen(what);
    if (text->length < length || !gw_slice_equal_nocase(gw_slice_of(text->at, length), gw_slice_of(what, length)))
        return false;
    text->at += length;
    text->length -= length;
    return true;
}

static bool date_take_number(struct gw_slice *text, unsigned digits, int *number)
{
    *number = 0;
    if (text->length < digits)
        return false;
    for (unsigned i = 0; i < digits; i++) {
        if (text->at[i] < '0' || text->at[i] > '9')
            return false;
        *number = *number * 10 + (text->at[i] - '0');
    }
    text->at += digits;
    text->length -= digits;
    return true;
}

static bool date_take_month(struct gw_slice *text, int *month)
{
    for (*month = 1; *month <= 12; ++*month)
        if (date_take(text, month_names[*month - 1]))
            return true;
    return false;
}

static bool date_take_time(struct gw_slice *text, struct civil *civil)
{
    return date_take_number(text, 2, &civil->hour) && date_take(text, ":") &&
           date_take_number(text, 2, &civil->minute) && date_take(text, ":") &&
           date_take_number(text, 2, &civil->second);
}

/* RFC 9111 §4.2: any other zone, also UTC, makes the date invalid. */
static bool date_take_zone(struct gw_slice *text)
{
    return date_take(text, " GMT");
}

/* Any day's name is accepted, since the date tells the day. */
static bool date_take_day_name(struct gw_slice *text, const char *after)
{
    for (unsigned i = 0; i < 7; i++) {
        struct gw_slice rest = *text;
        if (date_take(&rest, day_names[i]) && date_take(&rest, after)) {
            *text = rest;
            return true;
        }
    }
    return false;
}

static bool date_take_long_day_name(struct gw_slice *text)
{
    for (unsigned i = 0; i < 7; i++) {
        struct gw_slice rest = *text;
        if (date_take(&rest, long_day_names[i]) && date_take(&rest, ", ")) {
            *text = rest;
            return true;
        }
    }
    return false;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool date_read_fixdate(struct gw_slice text, struct civil *civil)
{
    return date_take_day_name(&text, ", ") && date_take_number(&text, 2, &civil->day) && date_take(&text, " ") &&
           date_take_month(&text, &civil->month) && date_take(&text, " ") && date_take_number(&text, 4, &civil->year) &&
           date_take(&text, " ") && date_take_time(&text, civil) && date_take_zone(&text) && text.length == 0;
}

/* Sunday, 06-Nov-94 08:49:37 GMT; civil->year has two digits */
static bool date_read_rfc850(struct gw_slice text, struct civil *civil)
{
    return date_take_long_day_name(&text) && date_take_number(&text, 2, &civil->day) && date_take(&text, "-") &&
           date_take_month(&text, &civil->month) && date_take(&text, "-") && date_take_number(&text, 2, &civil->year) &&
           date_take(&text, " ") && date_take_time(&text, civil) && date_take_zone(&text) && text.length == 0;
}

/* Sun Nov  6 08:49:37 1994 */
static bool date_read_asctime(struct gw_slice text, struct civil *civil)
{
    if (!date_take_day_name(&text, " ") || !date_take_month(&text, &civil->month) || !date_take(&text, " "))
        return false;
    if (!(date_take(&text, " ") ? date_take_number(&text, 1, &civil->day) : date_take_number(&text, 2, &civil->day)))
        return false;
    return date_take(&text, " ") && date_take_time(&text, civil) && date_take(&text, " ") &&
           date_take_number(&text, 4, &civil->year) && text.length == 0;
}

static bool date_is_day(const struct civil *civil)
{
    static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = (civil->year % 4 == 0 && civil->year % 100 != 0) || civil->year % 400 == 0;
    return civil->day >= 1 && civil->day <= days[civil->month - 1] + (civil->month == 2 && is_leap);
}

/* False: there is no such second. 60 is a leap second (RFC 9110 §5.6.7). */
static bool date_seconds_of(const struct civil *civil, int64_t *seconds)
{
    if (!date_is_day(civil) || civil->hour > 23 || civil->minute > 59 || civil->second > 60)
        return false;
    *seconds = date_days_of(civil->year, civil->month, civil->day) * SECONDS_PER_DAY + (int64_t)civil->hour * 3600 +
               civil->minute * 60 + civil->second;
    return true;
}

bool gw_date_parse(struct gw_slice text, int64_t now_seconds, int64_t *unix_seconds)
{
    struct civil civil;
    if (date_read_fixdate(text, &civil) || date_read_asctime(text, &civil))
        return date_seconds_of(&civil, unix_seconds);
    if (!date_read_rfc850(text, &civil))
        return false;
    int64_t latest = now_seconds < LAST_SECOND - FIFTY_YEARS_S ? now_seconds + FIFTY_YEARS_S : LAST_SECOND;
    /* Finds the last year with these two digits that is not too far ahead. Where that year has no such day (29
     * February), the date is invalid. */
    for (int year = date_civil_of(latest / SECONDS_PER_DAY).year; year >= 0; year--) {
        int two_digits = civil.year % 100;
        if (year % 100 != two_digits)
            continue;
        civil.year = year;
        if (!date_seconds_of(&civil, unix_seconds))
            return false;
        if (*unix_seconds <= latest)
            return true;
    }
    return false;
}
