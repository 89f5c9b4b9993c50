"""RFC 9111 §5.2.1 and §5.4: what a request allows and forbids."""
import re

from language import MAY, MUST, SHOULD, answer, cached, fetched, first, row, sent, stale, unanswered, validated

HOUR, OLD, ETAG = "Cache-Control: max-age=3600", "Age: 7200", 'ETag: "a"'
NOT_EMPTY = re.compile(".")


def asks(directives):
    return "Cache-Control: " + directives


# ------------------------------------------------------------------------------------------------------------- max-age

row("request-max-age-0", "RFC 9111 §5.2.1.1", SHOULD, "max-age=0 wants nothing that is not just validated.",
    first(HOUR), fetched(asks("max-age=0")))
row("request-max-age-0-etag", "RFC 9111 §5.2.1.1", MAY, "Where there is a validator, it is validated.",
    first(HOUR, ETAG), validated(asks("max-age=0")))
row("request-max-age-0-immutable", "RFC 8246 §2", MAY, "immutable does not outdo a client's max-age=0 in a shared cache.",
    first("Cache-Control: max-age=3600, immutable"), fetched(asks("max-age=0")))
row("request-max-age-older", "RFC 9111 §5.2.1.1", SHOULD, "What is older than max-age is not reused.",
    first(HOUR, "Age: 1000"), fetched(asks("max-age=500")))
row("request-max-age-younger", "RFC 9111 §5.2.1.1", MAY, "What is younger is.", first(HOUR, "Age: 1000"), cached(asks("max-age=2000")))
row("request-max-age-no-extension", "RFC 9111 §5.2.1.1", MUST, "A client's max-age makes nothing fresh.",
    first(HOUR, OLD), fetched(asks("max-age=9000")))
row("request-max-age-passes", "RFC 9111 §5.2.1.1", SHOULD, "max-age=1 after three seconds.",
    first(HOUR), fetched(asks("max-age=1"), pause=3))
row("request-max-age-upper-case", "RFC 9111 §5.2", SHOULD, "Request directives are case-insensitive.",
    first(HOUR, "Age: 1000"), fetched(asks("Max-Age=500")))
row("request-max-age-quoted", "RFC 9111 §5.2", SHOULD, "An argument may be quoted.",
    first(HOUR, "Age: 1000"), fetched(asks('max-age="500"')))
row("request-max-age-huge", "RFC 9111 §1.2.2", SHOULD, "A number beyond all types is a large number.",
    first(HOUR), cached(asks("max-age=99999999999999999999999")))
row("request-max-age-renews", "RFC 9111 §4", MAY, "What is fetched instead is stored.",
    first(HOUR), fetched(asks("max-age=0"), says=answer(HOUR)), cached(body=b"answer 2"))

# ----------------------------------------------------------------------------------------------------------- min-fresh

row("request-min-fresh", "RFC 9111 §5.2.1.3", SHOULD, "What is not fresh for long enough is not reused.",
    first(HOUR, "Age: 3000"), fetched(asks("min-fresh=1200")))
row("request-min-fresh-enough", "RFC 9111 §5.2.1.3", MAY, "What is, is.", first(HOUR, "Age: 1000"), cached(asks("min-fresh=1200")))
row("request-min-fresh-0", "RFC 9111 §5.2.1.3", MAY, "min-fresh=0 wants what is fresh.", first(HOUR), cached(asks("min-fresh=0")))
row("request-min-fresh-lifetime", "RFC 9111 §5.2.1.3", SHOULD, "min-fresh beyond the lifetime is never fulfilled.",
    first(HOUR), fetched(asks("min-fresh=7200")))
row("request-min-fresh-guess", "RFC 9111 §5.2.1.3", SHOULD, "It counts for guessed freshness, too.",
    first("Last-Modified: {now-36000}"), fetched(asks("min-fresh=7200")))

# ----------------------------------------------------------------------------------------------------------- max-stale

row("request-max-stale", "RFC 9111 §5.2.1.2", MAY, "max-stale takes what is stale by no more.",
    first(HOUR, "Age: 4000", ETAG), stale(asks("max-stale=1000"), asked=0, has={"Age": (4000, 4060)}))
row("request-max-stale-any", "RFC 9111 §5.2.1.2", MAY, "max-stale without a number takes any.", first(HOUR, "Age: 4000",
    ETAG), stale(asks("max-stale"), asked=0))
row("request-max-stale-too-old", "RFC 9111 §5.2.1.2", MUST, "What is stale by more is not reused.",
    first(HOUR, "Age: 4000", ETAG), fetched(asks("max-stale=100")))
row("request-max-stale-0", "RFC 9111 §5.2.1.2", MUST, "max-stale=0 takes nothing stale.",
    first(HOUR, OLD, ETAG), fetched(asks("max-stale=0")))
row("request-max-stale-fresh", "RFC 9111 §5.2.1.2", MAY, "What is fresh is reused with max-stale, too.",
    first(HOUR), cached(asks("max-stale=100")))
row("request-max-stale-passed", "RFC 9111 §5.2.1.2", MAY, "What became stale in the cache.",
    first("Cache-Control: max-age=1", ETAG), stale(asks("max-stale=1000"), pause=3, asked=0))
row("request-max-stale-max-age", "RFC 9111 §5.2.1.2", MUST, "max-age and max-stale together: each must hold.",
    first(HOUR, "Age: 4000", ETAG), fetched(asks("max-age=1000, max-stale=100")))
for name, directives in (("must-revalidate", "max-age=3600, must-revalidate"), ("proxy-revalidate", "max-age=3600, proxy-revalidate"),
                         ("s-maxage", "s-maxage=3600"), ("no-cache", "max-age=3600, no-cache")):
    section = {"must-revalidate": "§5.2.2.2", "proxy-revalidate": "§5.2.2.8", "s-maxage": "§5.2.2.10", "no-cache": "§5.2.2.4"}[name]
    row("request-max-stale-%s" % name, "RFC 9111 " + section, MUST, "%s forbids what max-stale would allow." % name,
        first("Cache-Control: " + directives, "Age: 4000", ETAG), fetched(asks("max-stale=1000")), fetched(asks("max-stale")))

# -------------------------------------------------------------------------------------------------- no-cache, no-store

row("request-no-cache", "RFC 9111 §5.2.1.4", SHOULD, "no-cache wants nothing that is not validated.",
    first(HOUR), fetched(asks("no-cache")))
row("request-no-cache-etag", "RFC 9111 §5.2.1.4", MAY, "Where there is a validator, it is validated.",
    first(HOUR, ETAG), validated(asks("no-cache")))
row("request-no-cache-since", "RFC 9111 §5.2.1.4", MAY, "By Last-Modified, too.",
    first(HOUR, "Last-Modified: {now-36000}"), validated(asks("no-cache")))
row("request-no-cache-upper-case", "RFC 9111 §5.2", SHOULD, "In any case.", first(HOUR), fetched(asks("No-Cache")))
row("request-no-cache-among", "RFC 9111 §5.2", SHOULD, "Among others.", first(HOUR), fetched(asks('foo="a, b", max-age=9000 , no-cache')))
row("request-no-cache-lines", "RFC 9110 §5.3", SHOULD, "In a second line.", first(HOUR), fetched(asks("max-age=9000"), asks("no-cache")))
row("request-no-cache-max-stale", "RFC 9111 §5.2.1.4", SHOULD, "max-stale beside it allows nothing.",
    first(HOUR), fetched(asks("no-cache, max-stale")))
row("request-no-cache-head", "RFC 9111 §5.2.1.4", SHOULD, "For HEAD, too.", first(HOUR), fetched(asks("no-cache"), method="HEAD"))
row("request-no-cache-renews", "RFC 9111 §4", MAY, "What is fetched instead is stored.",
    first(HOUR), fetched(asks("no-cache"), says=answer(HOUR)), cached(body=b"answer 2"))
row("request-no-cache-conditional", "RFC 9111 §5.2.1.4", SHOULD, "A conditional with no-cache is not answered unasked.",
    first(HOUR, ETAG), validated(asks("no-cache"), 'If-None-Match: "a"', status=304))
row("request-no-store", "RFC 9111 §5.2.1.5", MUST, "What is asked for with no-store is not stored.",
    sent("GET", asks("no-store"), says=answer(HOUR)), fetched(), cached())
row("request-no-store-upper-case", "RFC 9111 §5.2.1.5", MUST, "In any case.", sent("GET", asks("NO-STORE"), says=answer(HOUR)), fetched())
row("request-no-store-keeps", "RFC 9111 §5.2.1.5", MAY, "What was stored before stays.",
    first(HOUR), sent("GET", asks("no-store"), status=200), cached(body=b"answer 1"))
row("request-no-store-in-quotes", "RFC 9111 §5.2", MAY, "no-store in a quoted string is none.", first(HOUR), cached(asks('ext="no-store"')))
row("request-no-transform", "RFC 9111 §5.2.1.6", MAY, "no-transform leaves reuse alone.", first(HOUR), cached(asks("no-transform")))
row("request-unknown", "RFC 9111 §5.2.3", MUST, "Unknown request directives are ignored.",
    first(HOUR), cached(asks('foo, bar="a, no-cache, b"')))
row("request-response-directives", "RFC 9111 §5.2.2", MAY, "Response directives mean nothing in a request.",
    first(HOUR), cached(asks("private, s-maxage=0, must-revalidate")))

# ------------------------------------------------------------------------------------------------------ only-if-cached

row("request-only-if-cached", "RFC 9111 §5.2.1.7", SHOULD, "What is stored and fresh answers only-if-cached.",
    first(HOUR), cached(asks("only-if-cached")))
row("request-only-if-cached-miss", "RFC 9111 §5.2.1.7", SHOULD, "Where nothing is stored, 504.",
    unanswered(asks("only-if-cached"), says=answer(HOUR), status=504))
row("request-only-if-cached-stale", "RFC 9111 §5.2.1.7", SHOULD, "Where what is stored is stale, 504.",
    first(HOUR, OLD, ETAG), unanswered(asks("only-if-cached"), status=504))
row("request-only-if-cached-vary", "RFC 9111 §5.2.1.7", SHOULD, "Where only another variant is stored, 504.",
    first(HOUR, "Vary: X-One", asks=("X-One: 1",)), unanswered("X-One: 2", asks("only-if-cached"), status=504))
row("request-only-if-cached-max-age", "RFC 9111 §5.2.1.7", SHOULD, "Other request directives count, too: max-age.",
    first(HOUR, "Age: 1000"), unanswered(asks("only-if-cached, max-age=500"), status=504))
row("request-only-if-cached-max-stale", "RFC 9111 §5.2.1.7", MAY, "Other request directives count, too: max-stale.",
    first(HOUR, "Age: 4000", ETAG), stale(asks("only-if-cached, max-stale=1000"), asked=0))
row("request-only-if-cached-304", "RFC 9111 §4.3.2", MAY, "A conditional is answered as ever.",
    first(HOUR, ETAG), cached(asks("only-if-cached"), 'If-None-Match: "a"', status=304))
row("request-only-if-cached-head", "RFC 9111 §5.2.1.7", MAY, "HEAD is answered as ever.",
    first(HOUR), cached(asks("only-if-cached"), method="HEAD"))

# -------------------------------------------------------------------------------------------------------------- Pragma

row("pragma-no-cache", "RFC 9111 §5.4", MAY, "Pragma: no-cache of an old client counts as Cache-Control: no-cache.",
    first(HOUR), fetched("Pragma: no-cache"))
row("pragma-other", "RFC 9111 §5.4", MAY, "Another Pragma means nothing.", first(HOUR), cached("Pragma: foo"))
row("pragma-response", "RFC 9111 §5.4", MUST, "Pragma in a response means nothing beside max-age.",
    first(HOUR, "Pragma: no-cache"), cached())

# -------------------------------------------------------------------------------------------------------- as requested

row("forwards-end-to-end", "RFC 9110 §7.6", MUST, "End-to-end fields of a request reach the backend on a miss.",
    first(HOUR, asks=("X-One: 1", "Accept: a/b", "Accept-Language: de, EN"), seen={"X-One": "1", "Accept": "a/b", "Accept-Language": "de, EN"}))
row("forwards-not-hop-by-hop", "RFC 9110 §7.6.1", MUST, "Hop-by-hop fields of a request do not.",
    first(HOUR, asks=("Connection: X-Hop", "X-Hop: 1", "TE: trailers"), seen={"X-Hop": None, "TE": None}))
row("via-on-miss", "RFC 9110 §7.6.3", MUST, "The backend's request has Via.", first(HOUR, seen={"Via": NOT_EMPTY}))
row("validation-as-requested", "RFC 9111 §4.3.1", MUST, "A validation has the fields that its request selects by.",
    first(HOUR, OLD, ETAG, "Vary: X-One", asks=("X-One: 1",)), validated("X-One: 1", seen={"X-One": "1"}))

# ------------------------------------------------------------------------------------ where they are not to be obeyed

for name, asked in (("no-cache", asks("no-cache")), ("max-age-0", asks("max-age=0")), ("pragma", "Pragma: no-cache"), ("no-store", asks("no-store")),
                    ("max-age", asks("max-age=1")), ("min-fresh", asks("min-fresh=999999"))):
    row("ignored-%s" % name, "RFC 9111 §5.2.1", MAY, "cache.request_directives: ignore, %s changes nothing." % asked,
        first(HOUR, "Age: 100", asks=(asked,)), cached(asked), config="ignores_request")
row("ignored-only-if-cached", "RFC 9111 §5.2.1.7", MAY, "Nor does only-if-cached: the backend is asked.",
    fetched(asks("only-if-cached"), says=answer(HOUR)), cached(), config="ignores_request")
row("ignored-max-stale", "RFC 9111 §5.2.1.2", MUST, "Nor max-stale: what is stale is not served for it.",
    first(HOUR, OLD), fetched(asks("max-stale"), says=answer(HOUR)), config="ignores_request")
row("ignored-passed-on", "RFC 9111 §5.2", MUST, "The backend sees them all the same.",
    fetched(asks("no-cache"), says=answer(HOUR), seen={"Cache-Control": "no-cache"}), config="ignores_request")
