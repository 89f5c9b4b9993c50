"""RFC 9111 §4.3 and RFC 9110 §13: validation of what is stored, and clients' conditionals answered from it."""
import re

from language import MAY, MUST, SAME, SHOULD, Step, answer, cached, fetched, first, row, sent, stale, validated

HOUR, OLD, ETAG, SINCE = "Cache-Control: max-age=3600", "Age: 7200", 'ETag: "a"', "Last-Modified: {now-36000}"

# ------------------------------------------------------------------------------------- the cache asks the backend (§4.3.1)

row("validate-etag", "RFC 9111 §4.3.1", MUST, "A stale response with an ETag is validated by If-None-Match.",
    first(HOUR, OLD, ETAG), validated(seen={"If-None-Match": '"a"'}))
row("validate-last-modified", "RFC 9111 §4.3.1", SHOULD, "One with Last-Modified by If-Modified-Since.",
    first(HOUR, OLD, "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"),
    validated(seen={"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT", "If-None-Match": None}))
row("validate-both", "RFC 9111 §4.3.1", SHOULD, "One with both by both.",
    first(HOUR, OLD, ETAG, "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"),
    validated(seen={"If-None-Match": '"a"', "If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"}))
row("validate-weak", "RFC 9111 §4.3.1", MUST, "A weak ETag is sent as it is.",
    first(HOUR, OLD, 'ETag: W/"a"'), validated(seen={"If-None-Match": 'W/"a"'}))
row("validate-empty-etag", "RFC 9110 §8.8.3", MAY, "An ETag may be an empty string.",
    first(HOUR, OLD, 'ETag: ""'), validated(seen={"If-None-Match": '""'}))
for name, tag in (("unquoted", "abc"), ("unquoted-weak", "W/abc"), ("unquoted-comma", "a,b"), ("unquoted-open", '"abc'), ("unquoted-inside", 'a"b"')):
    row("validate-%s-etag" % name, "RFC 9110 §8.8.3", MAY, "What is no entity-tag is sent as it came: %s" % tag,
        first(HOUR, OLD, "ETag: " + tag), validated(seen={"If-None-Match": tag}))
    row("none-match-%s" % name, "RFC 9110 §13.1.2", MAY, "And compared as it came: %s" % tag,
        first(HOUR, "ETag: " + tag), cached("If-None-Match: " + tag, status=304), cached('If-None-Match: "zz"', status=200))
row("none-match-unquoted-list", "RFC 9110 §13.1.2", MAY, "Within a list, too.",
    first(HOUR, "ETag: abc"), cached('If-None-Match: "x", abc , y', status=304), cached("If-None-Match: abcd, xabc", status=200))
row("none-match-unquoted-weak-asked", "RFC 9110 §8.8.3.2", MAY, "W/ makes no difference.",
    first(HOUR, "ETag: abc"), cached("If-None-Match: W/abc", status=304))
row("none-match-unquoted-quoted", "RFC 9110 §13.1.2", MUST, "With quotes it is another.",
    first(HOUR, "ETag: abc"), cached('If-None-Match: "abc"', status=200))
row("validate-star-etag", "RFC 9110 §13.1.2", MUST, "An ETag that is a star is never sent: it would match anything.",
    first(HOUR, OLD, "ETag: *"), fetched(seen={"If-None-Match": None}))
row("unasked-304", "RFC 9110 §15.4.5", MUST, "A 304 to a request without a conditional is no answer.",
    sent("GET", says=answer(HOUR, ETAG, status=304), status=502), fetched(says=answer(HOUR, body=b"whole"), status=200))
row("unasked-304-stale", "RFC 5861 §4", MAY, "What is stored stands in for it, where it may.",
    first("Cache-Control: max-age=1, stale-if-error=3600", "Age: 2"), stale(says=answer(status=304)))
row("unasked-304-post", "RFC 9110 §15.4.5", MUST, "Whatever the method.",
    sent("POST", says=answer(status=304), sends=b"x", status=502))
row("unasked-304-stripped", "RFC 9110 §15.4.5", MUST, "Also where the client's conditional was kept from the backend.",
    sent("GET", 'If-None-Match: "a"', says=answer(HOUR, ETAG, status=304), status=502, seen={"If-None-Match": None}))
row("asked-304-passes", "RFC 9110 §13.1.2", MUST, "To a conditional that was passed on, it is the answer.",
    sent("GET", 'If-None-Match: "a"', "Cache-Control: no-store", says=answer(HOUR, ETAG, status=304), status=304, seen={"If-None-Match": '"a"'}))
row("validate-odd-etag", "RFC 9110 §8.8.3", MUST, "An ETag is opaque: commas, backslashes and what is not ASCII belong to it.",
    first(HOUR, OLD, 'ETag: "a, b\\c \xe9"'), validated(seen={"If-None-Match": '"a, b\\c \xe9"'}))
row("validate-passed", "RFC 9111 §4.3", MAY, "Also when max-age passed within the cache.",
    first("Cache-Control: max-age=1", ETAG), validated(pause=3))
row("validate-expires-passed", "RFC 9111 §4.3", MAY, "Also when Expires passed within the cache.",
    first("Expires: {now+1}", "Date: {now}", ETAG), validated(pause=3.5, says="Expires: {now+3600}"))
row("validate-max-age-0", "RFC 9111 §4.3", MAY, "What is stored stale is validated each time.",
    first("Cache-Control: max-age=0", ETAG), validated(), validated())
row("validate-no-cache", "RFC 9111 §5.2.2.4", MUST, "no-cache is validated each time, fresh as it may be.",
    first("Cache-Control: max-age=3600, no-cache", ETAG), validated(), validated())
row("validate-no-cache-alone", "RFC 9111 §5.2.2.4", MAY, "no-cache alone is stored to be validated.",
    first("Cache-Control: no-cache", ETAG), validated())
row("validate-must-revalidate", "RFC 9111 §5.2.2.2", MUST, "must-revalidate is validated once stale.",
    first("Cache-Control: max-age=3600, must-revalidate", OLD, ETAG), validated())
row("validate-proxy-revalidate", "RFC 9111 §5.2.2.8", MUST, "proxy-revalidate is validated once stale.",
    first("Cache-Control: max-age=3600, proxy-revalidate", OLD, ETAG), validated())
row("validate-s-maxage", "RFC 9111 §5.2.2.10", MUST, "s-maxage is validated once stale.",
    first("Cache-Control: s-maxage=3600, max-age=9000", OLD, ETAG), validated())
row("validate-expires-0", "RFC 9111 §5.3", MAY, "Expires: 0 is stored to be validated.", first("Expires: 0", ETAG), validated())
row("validate-404", "RFC 9111 §4.3", MAY, "Statuses other than 200 are validated, too.",
    first(HOUR, OLD, ETAG, origin_status=404), validated(status=404))
row("validate-no-validator", "RFC 9111 §4.3.1", MUST, "What has no validator is asked for without conditionals.",
    first(HOUR, OLD), fetched(seen={"If-None-Match": None, "If-Modified-Since": None}))
row("validate-not-with-clients", "RFC 9111 §4.3.1", MUST, "A stored validator is sent, also where the client has another one.",
    first(HOUR, OLD, ETAG), validated('If-None-Match: "z"', status=200, seen={"If-None-Match": re.compile('"a"')}))

row("refreshes", "RFC 9111 §4.3.4", MUST, "A 304 makes the stored response fresh again.",
    first(HOUR, OLD, ETAG), validated(says=HOUR), cached(), cached())
row("refreshes-by-own-lifetime", "RFC 9111 §4.3.4", SHOULD, "The 304 counts from when it came: the stored Age is gone.",
    first(HOUR, OLD, ETAG), validated(), cached(has={"Age": (0, 60)}))
row("refreshes-by-304s-age", "RFC 9111 §4.3.4", MUST, "The Age of a 304 counts.",
    first(HOUR, OLD, ETAG), validated(says=(HOUR, "Age: 1000")), cached(has={"Age": (1000, 1060)}))
row("refreshes-longer", "RFC 9111 §4.3.4", MUST, "A 304's longer lifetime counts.",
    first("Cache-Control: max-age=0", ETAG), validated(says=HOUR), cached())
row("refreshes-shorter", "RFC 9111 §4.3.4", MUST, "A 304's shorter lifetime counts.",
    first(HOUR, OLD, ETAG), validated(says="Cache-Control: max-age=0"), validated())
row("refreshes-expires", "RFC 9111 §4.3.4", MUST, "A 304's Expires counts.",
    first("Expires: {now-100}", ETAG), validated(says="Expires: {now+3600}"), cached())
row("refreshes-last-modified", "RFC 9111 §4.3.4", MUST, "A 304 to If-Modified-Since refreshes, too.",
    first(HOUR, OLD, SINCE), validated(says=HOUR), cached())
row("refreshes-no-store", "RFC 9111 §5.2.2.5", MUST, "A 304 with no-store leaves nothing to be reused unasked.",
    first(HOUR, OLD, ETAG), validated(says="Cache-Control: no-store"), fetched(says=answer(HOUR)))
row("refreshes-with-no-cache", "RFC 9111 §5.2.2.4", MUST, "A 304 with no-cache is validated the next time.",
    first(HOUR, OLD, ETAG), validated(says="Cache-Control: no-cache, max-age=3600"), validated())
row("refreshes-private", "RFC 9111 §5.2.2.7", MUST, "A 304 with private leaves nothing to be reused unasked.",
    first(HOUR, OLD, ETAG), validated(says="Cache-Control: private, max-age=3600"), fetched(says=answer(HOUR)))

row("replaced", "RFC 9111 §4.3.3", MUST, "A 200 to a validation replaces what was stored.",
    first(HOUR, OLD, ETAG), fetched(says=answer(HOUR, 'ETag: "b"'), seen={"If-None-Match": '"a"'}), cached(has={"ETag": '"b"'}))
row("replaced-by-404", "RFC 9111 §4.3.3", MUST, "A 404 to a validation replaces it, too.",
    first(HOUR, OLD, ETAG), fetched(says=answer(HOUR, status=404)), cached(status=404))
row("replaced-by-410", "RFC 9111 §4.3.3", MUST, "A 410 that may not be stored is passed on.",
    first(HOUR, OLD, ETAG), fetched(says=answer("Cache-Control: no-store", status=410)))
for status in (500, 503):
    row("validation-fails-%d" % status, "RFC 9111 §4.3.3", MUST,
        "A %d to a validation is passed on where nothing allows the stale response." % status,
        first(HOUR, OLD, ETAG), fetched(says=answer(status=status)))
row("not-replaced-by-500", "RFC 9111 §4.3.3", MAY, "After a 500 what was stored may still be validated.",
    first(HOUR, OLD, ETAG), fetched(says=answer(status=500)), fetched(says=answer(HOUR)), cached())
row("other-etag", "RFC 9111 §4.3.4", MUST, "A 304 whose ETag is another one updates nothing.",
    first(HOUR, OLD, ETAG),
    Step("any", says=answer(HOUR, 'ETag: "b"', "X-Updated: 1", status=304, if_conditional=True), status=200),
    Step("any", says=answer(HOUR, ETAG), status=200, has={"X-Updated": None}))
row("weak-etag-of-304", "RFC 9111 §4.3.4", MAY, "A 304 whose ETag matches weakly updates.",
    first(HOUR, OLD, 'ETag: W/"a"'), validated(says=(HOUR, 'ETag: W/"a"')), cached())

# ------------------------------------------------------------------------------------- clients' conditionals (§4.3.2)

MATCHES = (
    ("equal", '"a"', '"a"'), ("weak-stored", 'W/"a"', '"a"'), ("weak-asked", '"a"', 'W/"a"'), ("weak-both", 'W/"a"', 'W/"a"'),
    ("list", '"a"', '"x", "a"'), ("list-first", '"a"', '"a", "x", "y"'), ("list-tight", '"a"', '"x","a","y"'),
    ("list-wide", '"a"', '"x"\t ,  "a" '), ("list-weak", '"a"', '"x", W/"a"'), ("star", '"a"', "*"),
    ("comma", '"a, b"', '"x", "a, b"'), ("backslash", '"a\\"', '"x", "a\\", "y"'), ("empty", '""', '"x", ""'),
    ("empty-elements", '"a"', ', , "x", , "a",'),
)
for name, stored, asked in MATCHES:
    row("if-none-match-%s" % name, "RFC 9110 §13.1.2", MAY if name != "equal" else SHOULD,
        "If-None-Match: %s is answered 304 from a fresh response with ETag %s." % (asked, stored),
        first(HOUR, "ETag: " + stored), cached("If-None-Match: " + asked, status=304, body=b"", has={"ETag": stored}))
for name, stored, asked in (
    ("other", '"a"', '"b"'), ("case", '"a"', '"A"'), ("prefix", '"a"', '"ab"'), ("within", '"a"', '"x, a"'), ("list-other", '"a"', '"b", "c"'),
    ("part-of-comma", '"a, b"', '"a"'), ("empty-other", '""', '"x"'),
):
    row("if-none-match-not-%s" % name, "RFC 9110 §13.1.2", MUST,
        "If-None-Match: %s is no match for ETag %s: the whole response." % (asked, stored),
        first(HOUR, "ETag: " + stored), cached("If-None-Match: " + asked, status=200))
row("if-none-match-lines", "RFC 9110 §5.3", MAY, "Several lines of If-None-Match are one list.",
    first(HOUR, ETAG), cached('If-None-Match: "x"', 'If-None-Match: "a"', status=304))
row("if-none-match-no-etag", "RFC 9110 §13.1.2", MUST, "Without a stored ETag nothing matches.",
    first(HOUR, SINCE), cached('If-None-Match: "a"', status=200))
row("if-none-match-head", "RFC 9110 §13.1.2", MAY, "HEAD with If-None-Match gets a 304, too.",
    first(HOUR, ETAG), cached('If-None-Match: "a"', method="HEAD", status=304))
row("if-none-match-404", "RFC 9110 §13.2.1", MUST, "Conditionals do not apply to a stored 404.",
    first(HOUR, ETAG, origin_status=404), cached('If-None-Match: "a"', status=404))

CHANGED = "Last-Modified: Mon, 01 Jan 2024 12:00:00 GMT"
for name, level, sentence, asked, status in (
    ("equal", SHOULD, "that is Last-Modified", "Mon, 01 Jan 2024 12:00:00 GMT", 304),
    ("later", MAY, "after Last-Modified", "Tue, 02 Jan 2024 12:00:00 GMT", 304),
    ("earlier", MUST, "before Last-Modified", "Mon, 01 Jan 2024 11:59:59 GMT", 200),
    ("rfc850", MUST, "in the RFC 850 form", "Monday, 01-Jan-24 12:00:00 GMT", 304),
    ("asctime", MUST, "in the asctime form", "Mon Jan  1 12:00:00 2024", 304),
    ("invalid", MUST, "that is no date", "yesterday", 200),
    ("zero", MUST, "that is 0", "0", 200),
):
    row("if-modified-since-%s" % name, "RFC 9110 §13.1.3", level,
        "If-Modified-Since %s is answered %d from a fresh response." % (sentence, status),
        first(HOUR, CHANGED), cached("If-Modified-Since: " + asked, status=status))
row("if-modified-since-date", "RFC 9111 §4.3.2", MAY, "Without Last-Modified the stored Date counts.",
    first(HOUR, "Date: {now-100}"), cached("If-Modified-Since: {now-50}", status=304))
row("if-modified-since-before-date", "RFC 9111 §4.3.2", MUST, "Earlier than the stored Date: the whole response.",
    first(HOUR, "Date: {now-100}"), cached("If-Modified-Since: {now-500}", status=200))
row("if-none-match-over-since", "RFC 9110 §13.1.3", MUST, "If-Modified-Since is ignored where there is If-None-Match: no match.",
    first(HOUR, ETAG, CHANGED), cached('If-None-Match: "b"', "If-Modified-Since: Mon, 01 Jan 2024 12:00:00 GMT", status=200))
row("if-none-match-over-since-304", "RFC 9110 §13.1.3", MUST, "The same where it matches.",
    first(HOUR, ETAG, CHANGED), cached('If-None-Match: "a"', "If-Modified-Since: Mon, 01 Jan 2001 12:00:00 GMT", status=304))
for name, fields in (("if-match", 'If-Match: "z"'), ("if-unmodified-since", "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT")):
    row(name, "RFC 9110 §13.2.1", MUST, "%s is for the backend to decide." % fields.partition(":")[0],
        first(HOUR, ETAG), fetched(fields, says=answer(status=412), seen={fields.partition(":")[0]: fields.partition(": ")[2]}))
row("304-has-fields", "RFC 9110 §15.4.5", MUST,
    "A 304 has the Cache-Control, Content-Location, Date, ETag, Expires and Vary that the 200 would have.",
    first(HOUR, ETAG, "Date: {now-10}", "Expires: {now+3600}", "Vary: X-None", "Content-Location: {path}/x"),
    cached('If-None-Match: "a"', status=304, has={name: SAME for name in (
        "Cache-Control", "Content-Location", "Date", "ETag", "Expires", "Vary")}))
row("304-has-age", "RFC 9111 §4", MUST, "A 304 from the cache has Age.",
    first(HOUR, ETAG, "Age: 100"), cached('If-None-Match: "a"', status=304, has={"Age": (100, 160)}))
row("304-no-content", "RFC 9110 §15.4.5", MUST, "A 304 has no content, nor the length of another.",
    first(HOUR, ETAG), cached('If-None-Match: "a"', status=304, body=b"", has={"Transfer-Encoding": None}))

row("client-validates-stale", "RFC 9111 §4.3.3", MAY, "A client's conditional on a stale response: validated, then answered 304.",
    first(HOUR, OLD, ETAG), validated('If-None-Match: "a"', status=304), cached())
row("client-since-validates-stale", "RFC 9111 §4.3.3", MAY, "The same with If-Modified-Since.",
    first(HOUR, OLD, CHANGED), validated("If-Modified-Since: Mon, 01 Jan 2024 12:00:00 GMT", status=304), cached())
row("client-has-new", "RFC 9111 §4.3.3", MAY, "What the backend now says decides the client's conditional: 304.",
    first(HOUR, OLD, ETAG), sent("GET", 'If-None-Match: "b"', says=answer(HOUR, 'ETag: "b"'), status=304), cached(has={"ETag": '"b"'}))
row("client-has-old", "RFC 9111 §4.3.3", MUST, "What the backend now says decides the client's conditional: 200.",
    first(HOUR, OLD, ETAG), fetched('If-None-Match: "a"', says=answer(HOUR, 'ETag: "b"'), status=200), cached(has={"ETag": '"b"'}))
row("client-304-on-miss", "RFC 9111 §3", MUST, "A conditional on a miss leaves the whole response to the next client, or nothing.",
    sent("GET", 'If-None-Match: "a"', says=answer(HOUR, ETAG, or_304=True)),
    sent("GET", status=200, has={"ETag": '"a"', "X-Nonce": re.compile(r"\d")}))
row("304-unasked", "RFC 9111 §3", MUST, "A 304 to a request that was not conditional is not stored.",
    sent("GET", says=answer(HOUR, ETAG, status=304)), fetched(says=answer(HOUR)))
