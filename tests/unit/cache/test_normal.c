#include "unit/cache/heads.h"
#include <stdlib.h>
#include "base/random.h"
#include "cache/normal.h"

static struct gw_slice normal(char to[GW_NORMAL_BYTES], const char *name, struct gw_slice value)
{
    struct gw_slice text = gw_slice_of_string(name);
    return gw_slice_of(to, gw_normal_put(to, gw_field_name_of(text), text, value));
}

static void values_that_mean_the_same_are_spelled_the_same(void **state)
{
    static const struct row {
        const char *name, *value, *normal;
    } rows[] = {
        /* RFC 9110 §12.5.3: a set with weights */
        { "Accept-Encoding", "gzip, deflate, br", "br,deflate,gzip" },
        { "accept-encoding", "br,gzip,deflate", "br,deflate,gzip" },
        { "Accept-Encoding", "GZip", "gzip" },
        { "Accept-Encoding", "gzip, gzip", "gzip" },
        { "Accept-Encoding", "gzip;q=1.0, br ; Q=1", "br,gzip" },
        { "Accept-Encoding", "gzip;q=0.5, br;q=0.50", "br,gzip" }, /* all the same weight: as good as none */
        { "Accept-Encoding", "gzip;q=0.5, br;q=1.000", "br,gzip;q=0.5" },
        { "Accept-Encoding", "gzip;q=0.005, br;q=0.12", "br;q=0.12,gzip;q=0.005" },
        { "Accept-Encoding", "gzip, br;q=0", "gzip" }, /* what is not listed is not wanted */
        { "Accept-Encoding", "gzip;q=0", "" },         /* no coding at all, which is what an empty one says */
        { "Accept-Encoding", "", "" },
        { "Accept-Encoding", " , ,", "" },
        { "Accept-Encoding", "identity;q=0, gzip", "gzip,identity;q=0" }, /* these two say more */
        { "Accept-Encoding", "identity;q=0", "identity;q=0" },
        { "Accept-Encoding", "*;q=0, gzip, br;q=0.000", "*;q=0,gzip" },
        { "Accept-Encoding", "*, gzip;q=0", "*,gzip;q=0" }, /* and here a 0 does */
        { "Accept-Encoding", "*;q=0.1, gzip;q=0", "*;q=0.1,gzip;q=0" },
        { "Accept-Encoding", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,aa", "a,aa,b,c,d,e,f,g,h,i,j,k,l,m,n,o" },
        /* of no known meaning: white space and case alone */
        { "Accept-Encoding", "gzip;q=2, BR", "gzip;q=2,br" },
        { "Accept-Encoding", "gzip ; q=0.1234, br", "gzip;q=0.1234,br" },
        { "Accept-Encoding", "gzip;q=1;x=2, br", "gzip;q=1;x=2,br" },
        { "Accept-Encoding", "gzip;, br", "gzip;,br" },
        { "Accept-Encoding", "gzip;q=0.5, br, gzip;q=0.6", "gzip;q=0.5,br,gzip;q=0.6" },
        { "Accept-Encoding", "gz ip, br", "gz ip,br" },
        { "Accept-Encoding", "z,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", "z,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p" }, /* too many */
        /* lists in which case means nothing, and order may */
        { "Accept-Language", "de-AT,  EN;q=0.5", "de-at,en;q=0.5" },
        { "Accept-Language", "en , de", "en,de" },
        { "Accept-Language", "de ; q=0.5 ,, en,", "de;q=0.5,en" },
        { "ACCEPT-CHARSET", "UTF-8,\t*", "utf-8,*" },
        /* case may mean something in a parameter */
        { "Accept", "text/html;  q=0.8 , Text/Plain ;a=\"B ; ,  c\"", "text/html;q=0.8,Text/Plain;a=\"B ; ,  c\"" },
        { "Accept", "a/b ; c=\"\\\" ; \" ; d", "a/b;c=\"\\\" ; \";d" },
        { "Accept", "a/b ; c=\"d ; , e", "a/b;c=\"d ; , e" }, /* open */
        { "Accept", "a  b , c", "a  b,c" },
        /* names that are not known may be lists */
        { "X-Plan", "1 ,2,  3", "1,2,3" },
        { "X-Plan", "Gold ; a, b", "Gold ; a,b" },
        { "X-Plan", "a,,b , ,", "a,,b,," },
        { "Sec-CH-UA", "\"A, B\";v=\"1\", \"C\"", "\"A, B\";v=\"1\",\"C\"" },
        /* names that are known and are none */
        { "Cookie", "a=1, 2; b=3", "a=1, 2; b=3" },
        { "User-Agent", "A (b , c)", "A (b , c)" },
        { "If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:00 GMT" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char to[GW_NORMAL_BYTES], again[GW_NORMAL_BYTES];
        struct gw_slice once = normal(to, rows[i].name, gw_slice_of_string(rows[i].value));
        if (!gw_slice_equal(once, gw_slice_of_string(rows[i].normal)))
            fail_msg("row %zu: %s: %.*s", i, rows[i].value, GW_SLICE_ARGS(once));
        assert_true(gw_slice_equal(normal(again, rows[i].name, gw_slice_of_string(rows[i].value)), once)); /* known */
        assert_true(gw_slice_equal(normal(again, rows[i].name, once), once));
    }
}

/* Of pieces that mean something to it; in memory of its exact size, so that a byte beyond it is found. */
static struct gw_slice make_value(struct gw_random *random)
{
    static const char *const pieces[] = { "gzip", "BR", "*", "identity", ",", ", ", " ",  ";", "; ",
                                          "q=",   "0",  "1", ".5",       "=", "\"", "\\", "x", "\t" };
    char text[256] = "";
    for (unsigned count = (unsigned)(gw_random_next(random) % 24); count; count--)
        strcat(text, pieces[gw_random_next(random) % GW_COUNT(pieces)]);
    struct gw_slice value = gw_slice_trim(gw_slice_of_string(text));
    char *copy = malloc(value.length + 1);
    assert_non_null(copy);
    memcpy(copy, value.at, value.length);
    return gw_slice_of(realloc(copy, value.length ? value.length : 1), value.length);
}

static void what_is_normal_stays_and_is_never_longer(void **state)
{
    static const char *const names[] = { "Accept-Encoding", "Accept-Language", "Accept", "X-Plan", "Cookie" };
    struct gw_random random;
    (void)state;
    gw_random_init(&random);
    for (unsigned turn = 0; turn < 50000; turn++) {
        const char *name = names[turn % GW_COUNT(names)];
        struct gw_slice value = make_value(&random);
        char *to = malloc(value.length + 1), again[GW_NORMAL_BYTES];
        assert_non_null(to);
        to = realloc(to, value.length ? value.length : 1);
        struct gw_slice once = normal(to, name, value);
        assert_true(once.length <= value.length);
        if (!gw_slice_equal(normal(again, name, once), once))
            fail_msg("%s: %.*s: %.*s", name, GW_SLICE_ARGS(value), GW_SLICE_ARGS(once));
        free(to);
        free((char *)(uintptr_t)value.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_mean_the_same_are_spelled_the_same),
        cmocka_unit_test(what_is_normal_stays_and_is_never_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
