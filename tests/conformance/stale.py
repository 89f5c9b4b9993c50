"""RFC 9111 §4.2.4 and RFC 5861: what may be served stale, and what forbids it."""
import re

from language import MAY, MUST, SHOULD, answer, cached, closes, failed, fetched, first, refreshed, row, sent, stale, validated

ETAG, PASSED = 'ETag: "a"', "Age: 4000"
REVALIDATE = "Cache-Control: max-age=3600, stale-while-revalidate=3600"
ON_ERROR = "Cache-Control: max-age=3600, stale-if-error=3600"
HOUR = "Cache-Control: max-age=3600"
FORBIDS = (("must-revalidate", "max-age=3600, must-revalidate", "RFC 9111 §5.2.2.2"),
           ("proxy-revalidate", "max-age=3600, proxy-revalidate", "RFC 9111 §5.2.2.8"),
           ("s-maxage", "s-maxage=3600", "RFC 9111 §5.2.2.10"), ("no-cache", "max-age=3600, no-cache", "RFC 9111 §5.2.2.4"))

# ------------------------------------------------------------------------------------------ nothing allows it (§4.2.4)

for name, directives, section in FORBIDS:
    row("stale-close-%s" % name, section, MUST, "Where the backend cannot be asked, %s wants an error, not the stale response." % name,
        first("Cache-Control: " + directives, PASSED, ETAG), failed(says=closes()))
    row("stale-close-%s-configured" % name, section, MUST, "Also where the configuration would serve stale (%s)." % name,
        first("Cache-Control: " + directives, PASSED, ETAG), failed(says=closes()), config="stale_if_error")
    row("stale-503-%s-configured" % name, section, MUST, "Also where the backend answers 503 (%s)." % name,
        first("Cache-Control: " + directives, PASSED, ETAG), fetched(says=answer(status=503)), config="stale_if_error")
    for window in ("stale-while-revalidate", "stale-if-error"):
        row("%s-%s" % (window, name), section, MUST, "%s forbids what %s would allow." % (name, window),
            first("Cache-Control: %s, %s=3600" % (directives, window), PASSED, ETAG), fetched(says=answer("Cache-Control: no-store", status=503)))
row("stale-close-no-store", "RFC 9111 §5.2.2.5", MUST, "What may not be stored is not served stale.",
    first("Cache-Control: no-store"), failed(says=closes()), config="stale_if_error")
row("stale-close-private", "RFC 9111 §5.2.2.7", MUST, "Nor what is private.",
    first("Cache-Control: private, max-age=3600"), failed(says=closes()), config="stale_if_error")
row("stale-close-vary", "RFC 9111 §4.1", MUST, "Nor another variant.",
    first(HOUR, "Vary: X-One", PASSED, ETAG, asks=("X-One: 1",)), failed("X-One: 2", says=closes()), config="stale_if_error")
row("stale-close-request-no-cache", "RFC 9111 §5.2.1.4", SHOULD, "Nor to a request with no-cache.",
    first(HOUR, PASSED, ETAG), failed("Cache-Control: no-cache", says=closes()), config="stale_if_error")
row("stale-503-passed-on", "RFC 9111 §4.3.3", MUST, "Where nothing allows stale, a 503 is passed on.",
    first(HOUR, PASSED, ETAG), fetched(says=answer("X-Why: down", status=503), has={"X-Why": "down"}))

# ------------------------------------------------------------------------------------------------- stale-if-error (§4)

for status in (500, 502, 503, 504):
    row("stale-if-error-%d" % status, "RFC 5861 §4", MAY, "stale-if-error serves stale where the backend answers %d." % status,
        first(ON_ERROR, PASSED, ETAG), stale(says=answer(status=status), status=200, has={"Age": (4000, 4060)}))
    row("stale-if-error-%d-configured" % status, "RFC 9111 §4.2.4", MAY, "cache.stale_if_error does, without the directive (%d)." % status,
        first(HOUR, PASSED, ETAG), stale(says=answer(status=status), status=200), config="stale_if_error")
row("stale-if-error-close", "RFC 5861 §4", MAY, "Or where the backend closes the connection.",
    first(ON_ERROR, PASSED, ETAG), stale(says=closes(), status=200))
row("stale-if-error-close-configured", "RFC 9111 §4.2.4", MAY, "cache.stale_if_error does, too.",
    first(HOUR, PASSED, ETAG), stale(says=closes(), status=200), config="stale_if_error")
row("stale-if-error-no-validator", "RFC 5861 §4", MAY, "A validator is not needed for it.",
    first(ON_ERROR, PASSED), stale(says=answer(status=503), status=200))
row("stale-if-error-passed", "RFC 5861 §4", MAY, "What became stale in the cache.",
    first("Cache-Control: max-age=1, stale-if-error=3600"), stale(says=answer(status=503), status=200, pause=3))
row("stale-if-error-configured-passed", "RFC 9111 §4.2.4", MAY, "The same by configuration.",
    first("Cache-Control: max-age=1"), stale(says=closes(), status=200, pause=3), config="stale_if_error")
row("stale-if-error-default-ttl", "RFC 9111 §4.2.4", MAY, "Also what was stored by the default.",
    first("Age: 400", ETAG), stale(says=closes(), status=200), config="stale_if_error")
row("stale-if-error-twice", "RFC 5861 §4", MAY, "As long as the error lasts, and not longer.",
    first(ON_ERROR, PASSED, ETAG), stale(says=answer(status=503), status=200), stale(says=answer(status=500), status=200),
    fetched(says=answer(HOUR)), cached(body=b"answer 4"))
row("stale-if-error-over", "RFC 5861 §4", MUST, "Not beyond its seconds.",
    first("Cache-Control: max-age=3600, stale-if-error=100", PASSED, ETAG), fetched(says=answer(status=503)))
row("stale-if-error-over-close", "RFC 5861 §4", MUST, "Not beyond its seconds: the connection is closed.",
    first("Cache-Control: max-age=3600, stale-if-error=100", PASSED, ETAG), failed(says=closes()))
row("stale-if-error-0", "RFC 5861 §4", MUST, "0 seconds allow nothing.",
    first("Cache-Control: max-age=3600, stale-if-error=0", PASSED, ETAG), fetched(says=answer(status=503)))
row("stale-if-error-invalid", "RFC 9111 §4.2.1", SHOULD, "A number that is none allows nothing.",
    first("Cache-Control: max-age=3600, stale-if-error=x", PASSED, ETAG), fetched(says=answer(status=503)))
for status in (404, 403, 410, 501, 505):
    row("stale-if-error-not-%d" % status, "RFC 5861 §4", MUST, "A %d is no such error: it is passed on." % status,
        first(ON_ERROR, PASSED, ETAG), fetched(says=answer("Cache-Control: no-store", status=status)))
row("stale-if-error-200", "RFC 5861 §4", MUST, "Where the backend answers, its answer counts.",
    first(ON_ERROR, PASSED, ETAG), fetched(says=answer(HOUR)), cached(body=b"answer 2"))
row("stale-if-error-304", "RFC 5861 §4", MUST, "Where it validates, the response is fresh.",
    first(ON_ERROR, PASSED, ETAG), validated(), cached(has={"Age": (0, 60)}))
row("stale-if-error-conditional", "RFC 5861 §4", MAY, "A client's conditional is answered from it.",
    first(ON_ERROR, PASSED, ETAG), stale('If-None-Match: "a"', says=answer(status=503), status=304))
row("stale-if-error-head", "RFC 5861 §4", MAY, "HEAD is answered from it.",
    first(ON_ERROR, PASSED, ETAG), stale(says=answer(status=503), method="HEAD", status=200))
row("stale-if-error-unsafe", "RFC 5861 §4", MUST, "POST is not.",
    first(ON_ERROR, PASSED, ETAG), fetched(says=answer(status=503), method="POST", sends=b"x"))
row("stale-if-error-upper-case", "RFC 9111 §5.2", MAY, "The directive is case-insensitive.",
    first("Cache-Control: Max-Age=3600, Stale-If-Error=3600", PASSED, ETAG), stale(says=answer(status=503), status=200))

# ------------------------------------------------------------------------------------------ stale-while-revalidate (§3)

row("stale-while-revalidate", "RFC 5861 §3", MAY, "Served at once though stale, refreshed in the background, then fresh.",
    first(REVALIDATE, PASSED, ETAG), refreshed(says=answer(HOUR), has={"Age": (4000, 4060)}), cached(body=b"answer 2"))
row("stale-while-revalidate-304", "RFC 5861 §3", MAY, "The background asks by the validator, and a 304 makes it fresh.",
    first(REVALIDATE, PASSED, ETAG), refreshed(says=answer(HOUR, ETAG, status=304, if_conditional=True)),
    cached(body=b"answer 1", has={"Age": (0, 60)}))
row("stale-while-revalidate-no-validator", "RFC 5861 §3", MAY, "A validator is not needed for it.",
    first(REVALIDATE, PASSED), refreshed(says=answer(HOUR)), cached(body=b"answer 2"))
row("stale-while-revalidate-passed", "RFC 5861 §3", MAY, "What became stale in the cache.",
    first("Cache-Control: max-age=1, stale-while-revalidate=3600"), refreshed(says=answer(HOUR), pause=3), cached(body=b"answer 2"))
row("stale-while-revalidate-expires", "RFC 5861 §3", MAY, "Beside Expires.",
    first("Cache-Control: stale-while-revalidate=3600", "Date: {now}", "Expires: {now-100}", ETAG), refreshed(says=answer(HOUR)),
    cached(body=b"answer 2"))
row("stale-while-revalidate-fresh", "RFC 5861 §3", MUST, "While fresh it changes nothing.", first(REVALIDATE), cached(), cached())
row("stale-while-revalidate-over", "RFC 5861 §3", MUST, "Not beyond its seconds.",
    first("Cache-Control: max-age=3600, stale-while-revalidate=100", PASSED, ETAG), fetched(says=answer(HOUR)))
row("stale-while-revalidate-0", "RFC 5861 §3", MUST, "0 seconds allow nothing.",
    first("Cache-Control: max-age=3600, stale-while-revalidate=0", PASSED, ETAG), fetched(says=answer(HOUR)))
row("stale-while-revalidate-invalid", "RFC 9111 §4.2.1", SHOULD, "A number that is none allows nothing.",
    first("Cache-Control: max-age=3600, stale-while-revalidate=x", PASSED, ETAG), fetched(says=answer(HOUR)))
row("stale-while-revalidate-error", "RFC 5861 §3", MAY, "A background error leaves the stale response.",
    first(REVALIDATE, PASSED, ETAG), refreshed(says=answer(status=503)), stale(status=200))
row("stale-while-revalidate-no-store", "RFC 9111 §5.2.2.5", MUST, "A background refresh that is answered with no-store is not reused.",
    first("Cache-Control: max-age=3600, stale-while-revalidate=3600", PASSED, ETAG), refreshed(says=answer("Cache-Control: no-store")),
    sent("GET", says=answer(HOUR, body=b"later"), status=200, body=re.compile(b"^(answer 1|later)$")))
row("stale-while-revalidate-request-no-cache", "RFC 9111 §5.2.1.4", SHOULD, "A request with no-cache gets nothing stale.",
    first(REVALIDATE, PASSED, ETAG), fetched("Cache-Control: no-cache", says=answer(HOUR)))
row("stale-while-revalidate-request-max-age", "RFC 9111 §5.2.1.1", SHOULD, "Nor one with max-age.",
    first(REVALIDATE, PASSED, ETAG), fetched("Cache-Control: max-age=100", says=answer(HOUR)))
row("stale-while-revalidate-request-min-fresh", "RFC 9111 §5.2.1.3", SHOULD, "Nor one with min-fresh.",
    first(REVALIDATE, PASSED, ETAG), fetched("Cache-Control: min-fresh=1", says=answer(HOUR)))
row("stale-while-revalidate-conditional", "RFC 5861 §3", MAY, "A client's conditional is answered from it.",
    first(REVALIDATE, PASSED, ETAG), refreshed('If-None-Match: "a"', says=answer(HOUR, ETAG), status=304), cached(body=b"answer 2"))
row("stale-while-revalidate-vary", "RFC 9111 §4.1", MUST, "Another variant is not served stale.",
    first(REVALIDATE, PASSED, "Vary: X-One", asks=("X-One: 1",)), fetched("X-One: 2"))
row("stale-while-revalidate-refreshes-variant", "RFC 5861 §3", MAY, "The background asks for the variant that was served.",
    first(REVALIDATE, PASSED, "Vary: X-One", asks=("X-One: 1",)), refreshed("X-One: 1", says=answer(HOUR, "Vary: X-One"), seen={"X-One": "1"}),
    cached("X-One: 1", body=b"answer 2"))
row("stale-while-revalidate-invalidated", "RFC 9111 §4.4", MUST, "What was made invalid is not served stale.",
    first(REVALIDATE, PASSED, ETAG), sent("POST", says=answer("Cache-Control: no-store"), sends=b"x"), fetched(says=answer(HOUR)))
row("stale-if-error-invalidated", "RFC 9111 §4.4", MUST, "Not in error either.",
    first(ON_ERROR, PASSED, ETAG), sent("POST", says=answer("Cache-Control: no-store"), sends=b"x"), fetched(says=answer(status=503)))
