#include "admin/labels.h"

#include <time.h>
#include "admin/pages.h"

__extension__ typedef unsigned __int128 wide;

void gw_labels_put_percent(uint64_t part, uint64_t whole, const char *empty, struct gw_buffer *buffer)
{
    if (!whole) {
        gw_buffer_put_string(buffer, empty);
        return;
    }
    /* wide, since numbers of bytes soon exceed 2^64 / 10,000 */
    uint64_t hundredths = (uint64_t)(((wide)part * 10000 + whole / 2) / whole);
    gw_buffer_put_uint(buffer, hundredths / 100);
    gw_buffer_put_char(buffer, '.');
    gw_buffer_put_char(buffer, (char)('0' + hundredths / 10 % 10));
    gw_buffer_put_char(buffer, (char)('0' + hundredths % 10));
    gw_buffer_put_char(buffer, '%');
}

static void put_period(uint64_t us, struct gw_buffer *buffer)
{
    static const struct {
        uint64_t us;
        const char *word, *letter; /* for one of the unit; for several */
    } units[] = { { 86400000000, "day", "d" }, { 3600000000, "hour", "h" }, { 60000000, "min", "m" },
                  { 1000000, "sec", "s" },     { 1000, "ms", "ms" },        { 1, "us", "us" } };
    for (size_t i = 0; i < GW_COUNT(units); i++) {
        if (us == units[i].us) {
            gw_buffer_put_string(buffer, units[i].word);
            return;
        }
        if (us % units[i].us == 0) {
            gw_buffer_put_uint(buffer, us / units[i].us);
            gw_buffer_put_string(buffer, units[i].letter);
            return;
        }
    }
}

void gw_labels_put_rate(const struct gw_limit_policy *policy, struct gw_buffer *buffer)
{
    gw_buffer_put_uint(buffer, policy->n);
    gw_buffer_put_string(buffer, policy->cost > 1 ? " tokens/" : " req/");
    put_period(policy->period_us, buffer);
    switch (policy->by) {
    case GW_LIMIT_BY_IP:
        gw_buffer_put_literal(buffer, " per IP");
        break;
    case GW_LIMIT_BY_HEADER:
        gw_buffer_put_literal(buffer, " per ");
        gw_buffer_put_slice(buffer, policy->header);
        gw_buffer_put_literal(buffer, " header");
        break;
    case GW_LIMIT_BY_ROUTE:
        gw_buffer_put_literal(buffer, " per route");
        break;
    }
}

void gw_labels_put_time(uint64_t wall_us, struct gw_buffer *buffer)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    char text[32];
    if (gmtime_r(&seconds, &parts))
        gw_buffer_put(buffer, text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts));
}

void gw_admin_put_duration(uint64_t us, struct gw_buffer *page)
{
    uint64_t seconds = us / 1000000;
    if (seconds >= 3600) {
        gw_buffer_put_uint(page, seconds / 3600);
        gw_buffer_put_char(page, 'h');
    }
    if (seconds >= 60) {
        gw_buffer_put_uint(page, seconds / 60 % 60);
        gw_buffer_put_char(page, 'm');
    }
    gw_buffer_put_uint(page, seconds % 60);
    gw_buffer_put_char(page, 's');
}
