"""RFC 9111 §4.2: how long a response is fresh, and its age. If a sleep can be avoided, the backend's Age or Date makes a response old."""
import re

from language import MAY, MUST, SAME, SHOULD, answer, cached, fetched, first, row, sent

HOUR = "Cache-Control: max-age=3600"
A_DATE = re.compile(r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")

# ------------------------------------------------------------------------------------------------------------- max-age

for name, section, level, sentence, said, is_fresh in (
    ("max-age", "§5.2.2.1", MAY, "A response is reused while its age is below max-age.", "max-age=3600", True),
    ("max-age-zero", "§5.2.2.1", MUST, "max-age=0 is stale at once.", "max-age=0", False),
    ("max-age-upper-case", "§5.2", MUST, "Directives are case-insensitive.", "MaX-aGe=3600", True),
    ("max-age-zero-upper-case", "§5.2", MUST, "Directives are case-insensitive, whatever they forbid.", "MAX-AGE=0", False),
    ("max-age-quoted", "§5.2", SHOULD, "An argument may be a quoted string.", 'max-age="3600"', True),
    ("max-age-quoted-zero", "§5.2", MUST, "An argument may be a quoted string, whatever it says.", 'max-age="0"', False),
    ("max-age-single-quoted", "§4.2.1", SHOULD, "Single quotes are no quotes: stale.", "max-age='3600'", False),
    ("max-age-leading-zeros", "§1.2.2", MUST, "Leading zeros belong to delta-seconds.", "max-age=003600", True),
    ("max-age-2-31", "§1.2.2", MUST, "A number beyond 2^31 counts as 2^31.", "max-age=2147483649", True),
    ("max-age-2-64", "§1.2.2", MUST, "A number beyond all types counts as 2^31.", "max-age=99999999999999999999999", True),
    ("max-age-negative", "§4.2.1", SHOULD, "A negative number is invalid: stale.", "max-age=-3600", False),
    ("max-age-decimal", "§4.2.1", SHOULD, "A number that is not an integer is invalid: stale.", "max-age=3600.5", False),
    ("max-age-letters", "§4.2.1", SHOULD, "A word is invalid: stale.", "max-age=always", False),
    ("max-age-suffix", "§4.2.1", SHOULD, "A number with letters behind it is invalid: stale.", "max-age=3600s", False),
    ("max-age-prefix", "§4.2.1", SHOULD, "A number with letters before it is invalid: stale.", "max-age=a3600", False),
    ("max-age-hexadecimal", "§4.2.1", SHOULD, "Hexadecimal is invalid: stale.", "max-age=0xE10", False),
    ("max-age-empty", "§4.2.1", SHOULD, "An empty argument is invalid: stale.", "max-age=", False),
    ("max-age-without", "§4.2.1", SHOULD, "A missing argument is invalid: stale.", "max-age", False),
    ("max-age-plus", "§4.2.1", SHOULD, "A sign is invalid: stale.", "max-age=+3600", False),
    ("max-age-zero-first", "§4.2.1", SHOULD, "Of two, the first counts or the response is stale.", "max-age=0, max-age=3600", False),
    ("max-age-in-quotes", "§5.2", MUST, "max-age within another's quoted string is none.", 'ext="max-age=3600", max-age=0', False),
    ("max-age-0-in-quotes", "§5.2", MAY, "max-age=0 within another's quoted string is none.", 'ext="max-age=0", max-age=3600', True),
    ("max-age-like", "§5.2.3", MAY, "Directives that only look like it are ignored.", "xmax-age=0, max-agex=0, max-age=3600", True),
    ("max-age-tabs", "§5.2", MAY, "White space around directives means nothing.", "\t  max-age=3600 \t , \tpublic ", True),
    ("s-maxage", "§5.2.2.10", MAY, "s-maxage states freshness.", "s-maxage=3600", True),
    ("s-maxage-upper-case", "§5.2", MUST, "s-maxage is case-insensitive.", "S-MaxAge=3600", True),
    ("s-maxage-over-zero", "§5.2.2.10", MAY, "s-maxage overrides a shorter max-age.", "max-age=0, s-maxage=3600", True),
    ("s-maxage-before", "§5.2.2.10", MAY, "Whatever the order.", "s-maxage=3600, max-age=0", True),
    ("s-maxage-zero", "§5.2.2.10", MUST, "s-maxage overrides a longer max-age.", "max-age=3600, s-maxage=0", False),
    ("s-maxage-letters", "§4.2.1", SHOULD, "An invalid s-maxage is stale, whatever max-age says.", "max-age=3600, s-maxage=x", False),
    ("s-maxage-negative", "§4.2.1", SHOULD, "So is a negative one.", "max-age=3600, s-maxage=-1", False),
    ("s-maxage-decimal", "§4.2.1", SHOULD, "So is one with a fraction.", "s-maxage=3600.0", False),
    ("s-maxage-2-64", "§1.2.2", MUST, "s-maxage beyond all types counts as 2^31.", "s-maxage=99999999999999999999999", True),
    ("public-alone", "§5.2.2.9", MAY, "public without freshness is reused by default.", "public", True),
    ("no-cache", "§5.2.2.4", MUST, "no-cache forbids reuse without validation.", "max-age=3600, no-cache", False),
    ("no-cache-upper-case", "§5.2.2.4", MUST, "In any case.", "max-age=3600, NO-CACHE", False),
    ("no-cache-first", "§5.2.2.4", MUST, "In any order.", "no-cache, max-age=3600", False),
    ("no-cache-s-maxage", "§5.2.2.4", MUST, "With s-maxage, too.", "no-cache, s-maxage=3600", False),
    ("no-cache-public", "§5.2.2.4", MUST, "With public, too.", "public, no-cache, max-age=3600", False),
    ("must-revalidate-fresh", "§5.2.2.2", MAY, "must-revalidate allows reuse while fresh.", "max-age=3600, must-revalidate", True),
    ("proxy-revalidate-fresh", "§5.2.2.8", MAY, "proxy-revalidate, too.", "max-age=3600, proxy-revalidate", True),
    ("immutable-fresh", "RFC 8246 §2", MAY, "immutable allows reuse while fresh.", "max-age=3600, immutable", True),
    ("immutable-stale", "RFC 8246 §2", MUST, "immutable does not extend freshness.", "max-age=0, immutable", False),
    ("immutable-argument", "RFC 8246 §2", MUST, "An argument of immutable is ignored.", 'max-age=3600, immutable="x"', True),
):
    row(name, section if section.startswith("RFC") else "RFC 9111 " + section, level, sentence,
        first("Cache-Control: " + said), cached() if is_fresh else fetched())
# A value that is not a list of directives: CACHE_TTL and heuristics never apply to it, and each word in it that forbids something counts.
for name, said in (
    ("semicolon", "private; max-age=0"), ("semicolons", "no-cache; no-store"), ("blank", "no-store no-cache"), ("tab", "no-store\tno-cache"),
    ("no-comma", "public max-age=3600"), ("behind", "max-age=3600; private"), ("colon", "max-age:3600"), ("equals", "=3600"), ("nothing", ";"),
    ("words", "foo bar"), ("quoted", '"no-store"'), ("single-quoted", "'no-store'"), ("parentheses", "foo=(private)"), ("bar", "no-store|private"),
    ("latin-1", "private\xa0"), ("among-others", "max-age=3600, private; x"), ("rest", 'max-age=3600, foo="private" x'), ("empty-argument", "no-cache="),
    ("open-quote", 'private="'), ("revalidate", "must-revalidate; max-age=3600"),
):
    row("unclear-%s" % name, "RFC 9111 §4.2.1", SHOULD, "What is no list of directives is read the restrictive way.",
        first("Cache-Control: " + said), fetched())
    row("unclear-%s-guess" % name, "RFC 9111 §4.2.2", SHOULD, "Nothing is guessed from Last-Modified then.",
        first("Cache-Control: " + said, "Last-Modified: {now-360000}"), fetched())
    row("unclear-%s-line" % name, "RFC 9110 §5.3", SHOULD, "In a second line, too.",
        first("Cache-Control: public", "Cache-Control: " + said), fetched())
row("unclear-but-fresh", "RFC 9111 §4.2.1", MAY, "A lifetime beside a member that is no directive, and forbids nothing, counts.",
    first("Cache-Control: max-age=3600, foo bar"), cached())
row("unclear-request-no-cache", "RFC 9111 §5.2.1.4", SHOULD, "In a request, too: no-cache.", first(HOUR), fetched("Cache-Control: no-cache; x"))
row("unclear-request-no-store", "RFC 9111 §5.2.1.5", SHOULD, "In a request, too: no-store.", fetched("Cache-Control: no-store max-age=5", says=answer(HOUR)), fetched())
row("unclear-request-max-age", "RFC 9111 §5.2.1.1", SHOULD, "In a request, too: max-age.", first(HOUR), fetched("Cache-Control: max-age = 0"))
row("unclear-request-pragma", "RFC 9111 §5.4", SHOULD, "Pragma in a request, too.", first(HOUR), fetched("Pragma: no-cache; x"))
row("unclear-pragma", "RFC 9111 §5.4", SHOULD, "no-cache anywhere in a response's Pragma counts where nothing else is said.",
    first("Pragma: no-cache; x"), fetched())
row("max-age-lines", "RFC 9110 §5.3", MUST, "Directives in several lines are one list.",
    first("Cache-Control: public", "Cache-Control: max-age=0", "Cache-Control: must-revalidate"), fetched())
row("max-age-lines-fresh", "RFC 9110 §5.3", MUST, "Directives in several lines are one list: fresh.",
    first("Cache-Control: public", "Cache-Control: max-age=3600"), cached())
row("max-age-passes", "RFC 9111 §4.2", MUST, "A response that has outlived max-age is not reused.",
    first("Cache-Control: max-age=1"), fetched(pause=3))
row("s-maxage-passes", "RFC 9111 §4.2", MUST, "A response that has outlived s-maxage is not reused, whatever max-age says.",
    first("Cache-Control: max-age=3600, s-maxage=1"), fetched(pause=3))
row("expires-passes", "RFC 9111 §4.2", MUST, "A response past its Expires is not reused.",
    first("Expires: {now+1}", "Date: {now}"), fetched(pause=3.5))
row("max-age-not-yet", "RFC 9111 §4.2", MAY, "It is reused as long as it has not.",
    first("Cache-Control: max-age=60"), cached(pause=2, has={"Age": (1, 59)}))
row("no-cache-field", "RFC 9111 §5.2.2.4", MUST, 'no-cache="X-Secret": the field is not reused without validation.',
    first('Cache-Control: max-age=3600, no-cache="X-Secret"', "X-Secret: 1"),
    sent("GET", says=answer(HOUR), status=200, has={"X-Secret": None}))
row("no-cache-token", "RFC 9111 §5.2.2.4", MUST, "no-cache=X-Secret without quotes means the same, or all.",
    first("Cache-Control: max-age=3600, no-cache=X-Secret", "X-Secret: 1"),
    sent("GET", says=answer(HOUR), status=200, has={"X-Secret": None}))

# ------------------------------------------------------------------------------------------------------------- Expires

for name, section, level, sentence, said, is_fresh in (
    ("expires", "§5.3", MAY, "A response is reused until Expires.", "{now+3600}", True),
    ("expires-past", "§5.3", MUST, "Expires in the past is stale.", "{now-3600}", False),
    ("expires-now", "§5.3", MUST, "Expires that is Date is stale.", "{now}", False),
    ("expires-0", "§5.3", MUST, "An invalid date, 0 above all, is the past.", "0", False),
    ("expires-minus-1", "§5.3", MUST, "-1 is the past.", "-1", False),
    ("expires-empty", "§5.3", MUST, "An empty date is the past.", "", False),
    ("expires-word", "§5.3", MUST, "A word is the past.", "tomorrow", False),
    ("expires-iso", "§5.3", MUST, "Another calendar's form is the past.", "{iso:now+3600}", False),
    ("expires-unix", "§5.3", MUST, "A number of seconds is the past.", "{unix:now+3600}", False),
    ("expires-day-32", "§5.3", MUST, "A day that no month has is the past.", "Thu, 32 Dec 2037 00:00:00 GMT", False),
    ("expires-hour-25", "§5.3", MUST, "An hour that no day has is the past.", "Thu, 31 Dec 2037 25:00:00 GMT", False),
    ("expires-month", "§5.3", MUST, "A month that is none is the past.", "Thu, 31 Foo 2037 00:00:00 GMT", False),
    ("expires-rfc850", "§4.2", MUST, "The obsolete RFC 850 form is read.", "{rfc850:now+3600}", True),
    ("expires-asctime", "§4.2", MUST, "The obsolete asctime form is read.", "{asctime:now+3600}", True),
    ("expires-rfc850-past", "§4.2", MUST, "The RFC 850 form is read in the past.", "{rfc850:now-3600}", False),
    ("expires-asctime-past", "§4.2", MUST, "The asctime form is read in the past.", "{asctime:now-3600}", False),
    ("expires-lower-case", "§4.2", SHOULD, "Dates are matched case-insensitively: lower case.", "{lower:now+3600}", True),
    ("expires-upper-case", "§4.2", SHOULD, "Dates are matched case-insensitively: upper case.", "{upper:now+3600}", True),
    ("expires-est", "§4.2", SHOULD, "Another time zone than GMT is invalid.", "{est:now+36000}", False),
    ("expires-utc", "§4.2", SHOULD, "UTC, too, is another zone than GMT.", "{utc:now+3600}", False),
    ("expires-aoe", "§4.2", SHOULD, "A zone that no one knows is invalid.", "{aoe:now+36000}", False),
    ("expires-numeric-zone", "§4.2", SHOULD, "A numeric zone is invalid.", "{numeric:now+36000}", False),
    ("expires-2040", "§4.2", MUST, "A date beyond 2^31 seconds is in the future.", "Thu, 01 Mar 2040 00:00:00 GMT", True),
    ("expires-9999", "§4.2", MUST, "The last date that can be written is in the future.", "Fri, 31 Dec 9999 23:59:59 GMT", True),
    ("expires-1970", "§4.2", MUST, "The first second of the epoch is the past.", "Thu, 01 Jan 1970 00:00:00 GMT", False),
    ("expires-1900", "§4.2", MUST, "A date before the epoch is the past.", "Mon, 01 Jan 1900 00:00:00 GMT", False),
):
    row(name, "RFC 9111 " + section, level, sentence,
        first("Date: {now}", "Expires: " + said), cached(has={"Expires": SAME}) if is_fresh else fetched())
row("expires-no-date", "RFC 9111 §4.2.1", MAY, "Without Date, Expires counts from when the response came.",
    first("Expires: {now+3600}"), cached())
row("expires-of-date", "RFC 9111 §4.2.1", MUST, "The lifetime is Expires less Date, and the age counts from Date.",
    first("Date: {now-7200}", "Expires: {now-3600}"), fetched())
row("expires-of-future-date", "RFC 9111 §4.2.1", MUST, "A Date after Expires leaves no lifetime.",
    first("Date: {now+7200}", "Expires: {now+3600}"), fetched())
row("expires-old-date", "RFC 9111 §4.2.1", MAY, "A Date in the past leaves it fresh until Expires.",
    first("Date: {now-1800}", "Expires: {now+1800}"), cached(has={"Age": (0, 60)}))
row("expires-old-date-passes", "RFC 9111 §4.2.1", MUST, "An old Date makes nothing fresh beyond Expires.",
    first("Date: {now-1800}", "Expires: {now+1}"), fetched(pause=3.5))
row("expires-old-age", "RFC 9111 §4.2.3", MUST, "Age takes from Expires, too.",
    first("Date: {now}", "Expires: {now+3600}", "Age: 7200"), fetched())
row("expires-twice", "RFC 9111 §4.2.1", SHOULD, "Of two, the first counts or the response is stale.",
    first("Date: {now}", "Expires: {now-3600}", "Expires: {now+3600}"), fetched())
row("max-age-over-expires", "RFC 9111 §5.3", MUST, "max-age counts instead of an Expires in the past.",
    first(HOUR, "Date: {now}", "Expires: {now-3600}"), cached())
row("max-age-over-invalid-expires", "RFC 9111 §5.3", MUST, "max-age counts instead of an invalid Expires.",
    first(HOUR, "Expires: 0"), cached())
row("max-age-0-over-expires", "RFC 9111 §5.3", MUST, "max-age=0 counts instead of an Expires in the future.",
    first("Cache-Control: max-age=0", "Expires: {now+3600}"), fetched())
row("s-maxage-over-expires", "RFC 9111 §5.2.2.10", MUST, "s-maxage counts instead of Expires.",
    first("Cache-Control: s-maxage=3600", "Expires: {now-3600}"), cached())
row("s-maxage-0-over-expires", "RFC 9111 §5.2.2.10", MUST, "s-maxage=0 counts instead of Expires.",
    first("Cache-Control: s-maxage=0", "Expires: {now+3600}"), fetched())
row("expires-with-other-directives", "RFC 9111 §5.3", MAY, "Directives without a lifetime leave Expires to count.",
    first("Cache-Control: public, must-revalidate", "Expires: {now+3600}"), cached())
row("invalid-max-age-over-expires", "RFC 9111 §4.2.1", SHOULD, "An invalid max-age is stale, whatever Expires says.",
    first("Cache-Control: max-age=x", "Expires: {now+3600}"), fetched())

# ----------------------------------------------------------------------------------------------------------------- age

row("age-added", "RFC 9111 §4", MUST, "A reused response has one Age.", first(HOUR), cached(has={"Age": (0, 60)}))
row("age-carried", "RFC 9111 §4.2.3", MUST, "The age includes that of the caches before.",
    first(HOUR, "Age: 1000"), cached(has={"Age": (1000, 1060)}))
row("age-passed-on", "RFC 9111 §5.1", MUST, "A response that is passed on keeps its Age.",
    first(HOUR, "Age: 1000", has={"Age": (1000, 1060)}))
row("age-grows", "RFC 9111 §4.2.3", MUST, "The age grows with the time in the cache.",
    first(HOUR, "Age: 1000"), cached(pause=2.2, has={"Age": (1002, 1100)}))
# Only corrected_age_value counts, as §4.2.3 allows: some backends date all answers of a connection by the connection's beginning.
row("age-slow-date", "RFC 9111 §4.2.3", MAY, "A Date in the past is no age.",
    first(HOUR, "Date: {now-1000}"), cached(has={"Age": (0, 60)}))
row("age-slow-date-fresh", "RFC 9111 §4.2.3", MAY, "A Date older than max-age leaves it fresh.", first(HOUR, "Date: {now-7200}"), cached())
row("age-slow-date-default", "RFC 9111 §4.2.3", MAY, "So it does where nothing is said of freshness.", first("Date: {now-7200}"), cached())
row("age-beside-date", "RFC 9111 §4.2.3", MUST, "Age counts whatever Date says: Date is younger.",
    first(HOUR, "Date: {now-100}", "Age: 1000"), cached(has={"Age": (1000, 1060)}))
row("age-beside-older-date", "RFC 9111 §4.2.3", MAY, "Age counts whatever Date says: Date is older.",
    first(HOUR, "Date: {now-1000}", "Age: 100"), cached(has={"Age": (100, 160)}))
row("age-beside-date-stale", "RFC 9111 §4.2.3", MUST, "An Age beyond the lifetime is stale, whatever Date says.",
    first(HOUR, "Date: {now}", "Age: 7200"), fetched())
row("guess-future-date", "RFC 9111 §4.2.2", MAY, "A Date in the future makes no guess longer.",
    first("Date: {now+360000}", "Last-Modified: {now-10}"), fetched(pause=2.5))
row("age-future-date", "RFC 9111 §4.2.3", MUST, "A Date in the future is no negative age.",
    first(HOUR, "Date: {now+7200}"), cached(has={"Age": (0, 60)}))
row("age-invalid-date", "RFC 9110 §6.6.1", MUST, "An invalid Date counts as none.", first(HOUR, "Date: yesterday"), cached())
row("age-on-the-way", "RFC 9111 §4.2.3", MUST, "The time that the response took counts as age.",
    fetched(says=answer(HOUR, delay=2.5)), cached(has={"Age": (2, 60)}))
row("age-on-the-way-stale", "RFC 9111 §4.2.3", MUST, "What took longer than its lifetime is stale.",
    fetched(says=answer("Cache-Control: max-age=1", delay=2.5)), fetched(says=answer(HOUR)))
row("age-s-maxage", "RFC 9111 §4.2", MUST, "An Age beyond s-maxage is stale, whatever max-age says.",
    first("Cache-Control: max-age=9000, s-maxage=3600", "Age: 7200"), fetched())
for name, level, sentence, said, is_fresh in (
    ("age-stale", MUST, "An Age beyond max-age is stale.", ("7200",), False),
    ("age-equal", MUST, "An Age of max-age is stale.", ("3600",), False),
    ("age-below", MAY, "An Age below max-age is fresh.", ("1800",), True),
    ("age-zero", MAY, "An Age of 0 is fresh.", ("0",), True),
    ("age-leading-zeros", MUST, "Leading zeros belong to delta-seconds.", ("007200",), False),
    ("age-2-31", MUST, "An Age beyond 2^31 is stale.", ("2147483649",), False),
    ("age-2-64", MUST, "An Age beyond all types is stale.", ("99999999999999999999999",), False),
    ("age-first-of-list", SHOULD, "Of a list the first counts: stale.", ("7200, 0",), False),
    ("age-first-of-list-fresh", SHOULD, "Of a list the first counts: fresh.", ("0, 7200",), True),
    ("age-first-of-lines", SHOULD, "Of several lines the first counts: stale.", ("7200", "0"), False),
    ("age-first-of-lines-fresh", SHOULD, "Of several lines the first counts: fresh.", ("0", "7200"), True),
    ("age-list-with-word", SHOULD, "What follows the first is discarded, also where it is invalid.", ("7200, x",), False),
    ("age-negative", SHOULD, "A negative Age is ignored.", ("-7200",), True),
    ("age-word", SHOULD, "A word for an Age is ignored.", ("old",), True),
    ("age-decimal", SHOULD, "An Age with a fraction is ignored.", ("7200.5",), True),
    ("age-suffix", SHOULD, "An Age with letters behind it is ignored.", ("7200s",), True),
    ("age-prefix", SHOULD, "An Age with letters before it is ignored.", ("x7200",), True),
    ("age-parameter", SHOULD, "An Age with a parameter is ignored.", ("7200;a=1",), True),
    ("age-quoted", SHOULD, "A quoted Age is ignored.", ('"7200"',), True),
    ("age-empty", SHOULD, "An empty Age is ignored.", ("",), True),
):
    section = "RFC 9111 §4.2" if level in (MUST, MAY) else "RFC 9111 §5.1"
    row(name, section, level, sentence, first(HOUR, *["Age: " + value for value in said]), cached() if is_fresh else fetched())

row("date-kept", "RFC 9110 §6.6.1", MUST, "A reused response keeps its Date.",
    first(HOUR, "Date: {now-100}"), cached(has={"Date": SAME}))
row("date-added", "RFC 9110 §6.6.1", MUST, "A response without Date that is passed on or stored gets one.",
    first(HOUR, has={"Date": A_DATE}), cached(has={"Date": A_DATE}))

# ---------------------------------------------------------------------------------------------- heuristics and default

row("guess", "RFC 9111 §4.2.2", MAY, "10 % of the time since Last-Modified are guessed: an hour of ten.",
    first("Last-Modified: {now-36000}", "Age: 1800"), cached())
row("guess-over", "RFC 9111 §4.2.2", SHOULD, "Not more than 10 %.", first("Last-Modified: {now-36000}", "Age: 7200"), fetched())
row("guess-just-modified", "RFC 9111 §4.2.2", SHOULD, "What has changed within the last seconds is not fresh for minutes.",
    first("Last-Modified: {now-10}"), fetched(pause=3))
row("guess-future", "RFC 9111 §4.2.2", SHOULD, "A Last-Modified in the future is no ground to guess.",
    first("Last-Modified: {now+36000}"), fetched())
row("guess-bounded", "RFC 9111 §4.2.2", MAY, "A guess is bounded: a day, where Last-Modified is years ago.",
    first("Last-Modified: Mon, 01 Jan 2001 00:00:00 GMT", "Age: 90000"), fetched())
row("guess-not-with-max-age", "RFC 9111 §4.2.2", MUST, "Nothing is guessed where max-age states it.",
    first("Cache-Control: max-age=0", "Last-Modified: {now-360000}"), fetched())
row("guess-not-with-expires", "RFC 9111 §4.2.2", MUST, "Nothing is guessed where Expires states it.",
    first("Expires: {now-100}", "Last-Modified: {now-360000}"), fetched())
row("guess-not-with-invalid-expires", "RFC 9111 §4.2.2", MUST, "Nor where it states it wrongly.",
    first("Expires: soon", "Last-Modified: {now-360000}"), fetched())
row("guess-not-with-invalid-max-age", "RFC 9111 §4.2.1", SHOULD, "Nor where max-age is invalid.",
    first("Cache-Control: max-age=soon", "Last-Modified: {now-360000}"), fetched())
row("guess-not-with-no-cache", "RFC 9111 §5.2.2.4", MUST, "A guess does not outdo no-cache.",
    first("Cache-Control: no-cache", "Last-Modified: {now-360000}"), fetched())
row("guess-not-with-no-store", "RFC 9111 §5.2.2.5", MUST, "A guess does not outdo no-store.",
    first("Cache-Control: no-store", "Last-Modified: {now-360000}"), fetched())
row("guess-with-directives", "RFC 9111 §4.2.2", MAY, "Directives that say nothing of freshness leave the guess.",
    first("Cache-Control: must-revalidate, no-transform", "Last-Modified: {now-360000}"), cached())
row("guess-off", "RFC 9111 §4.2.2", MAY, "By configuration (cache.heuristic_max: 0) nothing is guessed: the default counts, which is less than a tenth of a year.",
    first("Last-Modified: {now-31536000}", "Age: 400"), fetched(), config="no_heuristic")
row("default-ttl", "RFC 9111 §4.2.2", MAY, "What says nothing at all is reused for cache.default_ttl.",
    first(), cached(has={"Age": (0, 60)}))
row("default-ttl-over", "RFC 9111 §4.2.2", MUST, "Not for longer: Age counts.", first("Age: 400"), fetched())
row("default-ttl-off", "RFC 9111 §4.2.2", MAY, "With cache.default_ttl: 0 it is not stored.",
    first(), fetched(), config="no_default_ttl")
row("default-ttl-off-stated", "RFC 9111 §4.2.1", MAY, "What states its freshness is, all the same.",
    first(HOUR), cached(), config="no_default_ttl")
for status in (203, 300, 301, 308, 410):
    row("default-ttl-%d" % status, "RFC 9111 §4.2.2", MAY, "A %d that says nothing is reused by default." % status,
        first(origin_status=status), cached(status=status))
for status in (201, 302, 307, 400, 403, 404, 500, 502, 503, 504):
    row("default-ttl-not-%d" % status, "RFC 9111 §4.2.2", SHOULD, "A %d that says nothing is not stored." % status,
        first(origin_status=status), fetched(status=status))
