"""RFC 9211: Cache-Status. This chapter checks what the field says; the other chapters prove by other means that it is true."""
import re

from language import MAY, MUST, SHOULD, answer, cached, closes, fetched, first, refreshed, row, sent, stale, unanswered, validated

HOUR, OLD, ETAG = "Cache-Control: max-age=3600", "Age: 7200", 'ETag: "a"'


def says(*with_, without=()):
    """One member of this gateway, last in the list, with these parameters in whatever order."""
    ahead = "".join(r"(?=[^,]*;\s*%s(?=[;,\s]|$))" % word for word in with_)
    behind = "".join(r"(?![^,]*;\s*%s(?=[;,=\s]|$))" % word for word in without)
    return {"Cache-Status": re.compile(r"(?:^|,\s*)visara%s%s[^,]*$" % (ahead, behind))}


row("cache-status-hit", "RFC 9211 §2.1", MUST, "hit: from the cache, without the backend.",
    first(HOUR), cached(has=says("hit", without=("fwd", "stored", "collapsed"))))
row("cache-status-hit-ttl", "RFC 9211 §2.4", SHOULD, "ttl: what is left of its freshness.",
    first(HOUR, "Age: 1000"), cached(has=says("hit", r"ttl=2(600|5\d\d)")))
row("cache-status-hit-default", "RFC 9211 §2.4", SHOULD, "ttl counts the default, too.", first(), cached(has=says("hit", r"ttl=(300|2\d\d)")))
row("cache-status-miss", "RFC 9211 §2.2", MUST, "fwd=uri-miss: nothing was stored for the URI.",
    first(HOUR, has=says("fwd=uri-miss", without=("hit",))))
row("cache-status-stored", "RFC 9211 §2.5", SHOULD, "stored: the response was stored.", first(HOUR, has=says("fwd=uri-miss", "stored")))
row("cache-status-stored-is-not-aged", "RFC 9211 §2.4", MAY, "ttl is of what was stored before: what is just stored says no more than that.",
    first(HOUR, has={"Cache-Status": "visara; fwd=uri-miss; stored"}), cached(has={"Cache-Status": re.compile(r"^visara; hit; ttl=(3600|359\d)$")}))
row("cache-status-not-stored", "RFC 9211 §2.5", MUST, "Not stored: no such word.",
    first("Cache-Control: no-store", has=says("fwd=uri-miss", without=("stored", "hit"))))
for name, said, asks in (
    ("no-store", ("Cache-Control: no-store",), ()), ("private", ("Cache-Control: private",), ()), ("set-cookie", (HOUR, "Set-Cookie: a=b"), ()),
    ("vary-any", (HOUR, "Vary: *"), ()), ("vary-own", (HOUR, "Vary: Via"), ()), ("vary", (HOUR, "Vary: a b"), ()), ("credential", (), ("Cookie: a=b",)),
    ("authorization", (HOUR,), ("Authorization: Basic eDp5",)), ("unparsable", ("Cache-Control: public max-age=3600; x, foo bar",), ()), ("stale", ("Cache-Control: max-age=0",), ()),
    ("event-stream", (HOUR, "Content-Type: text/event-stream"), ()), ("request-no-store", (HOUR,), ("Cache-Control: no-store",)),
    ("precondition", (HOUR,), ('If-Match: "a"',)),
):
    row("cache-status-detail-%s" % name, "RFC 9211 §2.8", MAY, "detail=%s: why it is not stored." % name,
        first(*said, asks=asks, has=says("detail=%s" % name, without=("stored", "hit"))))
for name, status, said in (("status", 429, HOUR), ("partial", 206, HOUR), ("no-freshness", 302, "X-A: b")):
    row("cache-status-detail-%s" % name, "RFC 9211 §2.8", MAY, "detail=%s: why it is not stored." % name,
        first(said, origin_status=status, has=says("detail=%s" % name, without=("stored", "hit"))))
row("cache-status-detail-method", "RFC 9211 §2.8", MAY, "detail=method: why it is not stored.",
    fetched(method="POST", sends=b"x", says=answer(HOUR), has=says("fwd=method", "detail=method", without=("stored",))))
row("cache-status-detail-too-large", "RFC 9211 §2.8", MAY, "detail=too-large: why it is not stored.",
    first(HOUR, origin_body=bytes(2 << 20), has=says("detail=too-large", without=("stored",))))
row("cache-status-credential", "RFC 9211 §2.2", SHOULD, "fwd=request: what is stored is not for a request with a credential.",
    first(), fetched("Cookie: a=b", has=says("fwd=request", "detail=credential", without=("hit", "stored"))))
row("cache-status-authorization", "RFC 9211 §2.2", SHOULD, "fwd=request: what is stored is not for a request with Authorization.",
    first(HOUR), fetched("Authorization: Basic eDp5", has=says("fwd=request", "detail=authorization", without=("hit", "stored"))))
row("cache-status-no-detail", "RFC 9211 §2.8", MAY, "What is stored, and what is stored already, needs no reason.",
    first(HOUR, has=says("stored", without=("detail",))), cached(has=says("hit", without=("detail",))))
row("cache-status-vary-miss", "RFC 9211 §2.2", SHOULD, "fwd=vary-miss: only other variants were stored.",
    first(HOUR, "Vary: X-One", asks=("X-One: 1",)), fetched("X-One: 2", has=says("fwd=vary-miss", without=("hit",))))
row("cache-status-stale", "RFC 9211 §2.2", SHOULD, "fwd=stale: what was stored was stale.",
    first(HOUR, OLD, ETAG), fetched(says=answer(HOUR), has=says("fwd=stale", without=("hit",))))
row("cache-status-validated", "RFC 9211 §2.3", SHOULD, "fwd-status=304: it was validated.",
    first(HOUR, OLD, ETAG), validated(has=says("fwd=stale", "fwd-status=304", without=("hit",))))
row("cache-status-validated-words", "RFC 9211 §2.3", MAY, "The same of what was validated.",
    first(HOUR, OLD, ETAG), validated(has={"Cache-Status": "visara; fwd=stale; fwd-status=304; stored"}))
row("cache-status-request", "RFC 9211 §2.2", SHOULD, "fwd=request: the request's own directives wanted it.",
    first(HOUR), fetched("Cache-Control: no-cache", has=says("fwd=request", without=("hit",))))
row("cache-status-method", "RFC 9211 §2.2", SHOULD, "fwd=method: the method is not answered from caches.",
    first(HOUR), fetched(method="POST", sends=b"x", has=says("fwd=method", without=("hit", "stored"))))
row("cache-status-one-of-both", "RFC 9211 §2", MUST, "hit and fwd exclude each other, also where a stale response is served.",
    first("Cache-Control: max-age=3600, stale-while-revalidate=3600", "Age: 4000", ETAG),
    refreshed(says=answer(HOUR), has=says("hit", without=("fwd",))))
row("cache-status-stale-ttl", "RFC 9211 §2.4", SHOULD, "ttl of a stale response that is served is negative.",
    first("Cache-Control: max-age=3600, stale-while-revalidate=3600", "Age: 4000", ETAG), refreshed(says=answer(HOUR), has=says("hit", r"ttl=-4\d\d")))
row("cache-status-error", "RFC 9211 §2.3", MAY, "Where stale is served for an error, it is said that the backend was asked.",
    first("Cache-Control: max-age=3600, stale-if-error=3600", "Age: 4000", ETAG),
    stale(says=answer(status=503), status=200, has=says("fwd=stale", "fwd-status=503")))
row("cache-status-closed", "RFC 9211 §2", MUST, "Where the backend did not answer there is no fwd-status.",
    first("Cache-Control: max-age=3600, stale-if-error=3600", "Age: 4000", ETAG),
    stale(says=closes(), status=200, has=says("fwd=stale", without=("fwd-status",))))
row("cache-status-304", "RFC 9211 §2.1", MUST, "A 304 from the cache is a hit.",
    first(HOUR, ETAG), cached('If-None-Match: "a"', status=304, has=says("hit")))
row("cache-status-head", "RFC 9211 §2.1", MUST, "HEAD from the cache is a hit.", first(HOUR), cached(method="HEAD", has=says("hit")))
row("cache-status-appended", "RFC 9211 §2", MUST, "A backend's own stays, and this gateway's comes last.",
    first(HOUR, "Cache-Status: Other; hit; ttl=5", has={"Cache-Status": re.compile(r"^Other; hit; ttl=5,\s*visara\s*;.*fwd=uri-miss")}),
    cached(has={"Cache-Status": re.compile(r"^Other; hit; ttl=5,\s*visara\s*;[^,]*hit[^,]*$")}))
row("cache-status-not-twice", "RFC 9211 §2", MUST, "What is stored has not this gateway's own from the miss.",
    first(HOUR), cached(has={"Cache-Status": re.compile("^visara[^,]*$")}), cached(has={"Cache-Status": re.compile("^visara[^,]*$")}))
row("cache-status-only-if-cached", "RFC 9211 §2", SHOULD, "What the gateway answers itself has none.",
    unanswered("Cache-Control: only-if-cached", says=answer(HOUR), status=504, has={"Cache-Status": None}))
row("cache-status-key", "RFC 9211 §2.7", MAY, "key: by configuration, and then a string.",
    first(HOUR), cached(has={"Cache-Status": re.compile(r'^visara\s*;.*key="[^"]+"')}), config="status_key")
row("cache-status-no-key", "RFC 9211 §6", SHOULD, "No key otherwise.", first(HOUR), cached(has=says("hit", without=("key",))))
row("cache-status-set-by-client", "RFC 9211 §2", MUST, "It is a response field: one in a request changes nothing.",
    first(HOUR, asks=("Cache-Status: evil; hit",), has=says("fwd=uri-miss")), cached("Cache-Status: evil; hit", has=says("hit")))
row("cache-status-range-stored", "RFC 9211 §2.5", MUST, "A whole that a ranged request has fetched is stored.",
    fetched("Range: bytes=2-4", says=answer(HOUR, body=b"0123456789"), status=206, has={"Cache-Status": "visara; fwd=uri-miss; fwd-status=200; stored"}))
row("cache-status-range-416", "RFC 9211 §2.8", MAY, "What answers a range alone is not, and why.",
    fetched("Range: bytes=99-", says=answer(HOUR, "Content-Range: bytes */10", status=416), has={"Cache-Status": "visara; fwd=uri-miss; detail=range"}))
row("cache-status-range", "RFC 9211 §2.1", MUST, "A part from the cache is a hit.",
    first(HOUR), sent("GET", "Range: bytes=0-2", status=206, asked=0, has=says("hit")))
row("x-cache-hit", "RFC 9211 §1", MAY, "X-Cache and Cache-Status agree: HIT.", first(HOUR), cached(has={"X-Cache": "HIT"}))
row("x-cache-miss", "RFC 9211 §1", MAY, "X-Cache and Cache-Status agree: MISS.", first(HOUR, has={"X-Cache": "MISS"}))
row("x-cache-stale", "RFC 9211 §1", MAY, "X-Cache and Cache-Status agree: STALE.",
    first("Cache-Control: max-age=3600, stale-while-revalidate=3600", "Age: 4000"), refreshed(says=answer(HOUR), has={"X-Cache": "STALE"}))
row("x-cache-revalidated", "RFC 9211 §1", MAY, "X-Cache and Cache-Status agree: REVALIDATED.",
    first(HOUR, OLD, ETAG), validated(has={"X-Cache": "REVALIDATED"}))
row("x-cache-not-the-backends", "RFC 9211 §1", MAY, "A backend's own X-Cache is not mistaken for it.",
    first(HOUR, "X-Cache: HIT from other", has={"X-Cache": "MISS"}), cached(has={"X-Cache": "HIT"}))
