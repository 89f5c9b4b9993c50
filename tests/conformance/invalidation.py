"""RFC 9111 §4.4: what unsafe methods make invalid. Two gateways: the method goes to the first, the next request to the second."""
from language import MAY, MUST, answer, cached, fetched, first, row, sent

HOUR = "Cache-Control: max-age=3600"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def after(method, *said, status=200, to="", body=b"x"):
    """The unsafe request; the answer must not come from the store."""
    return sent(method, says=answer("Cache-Control: no-store", *said, status=status), to=to, sends=body)


AGAIN = answer(HOUR)

for method in UNSAFE:
    row("invalidate-%s" % method.lower(), "RFC 9111 §4.4", MUST, "A successful %s makes the stored response of its target invalid." % method,
        first(HOUR), cached(), after(method), fetched(says=AGAIN), cached())
for method in ("PROPPATCH", "MKCOL", "LOCK", "MOVE"):
    row("invalidate-%s" % method.lower(), "RFC 9111 §4.4", MUST, "So does a method that is not known to be safe: %s." % method,
        first(HOUR), cached(), after(method), fetched(says=AGAIN))
for status in (201, 202, 204, 205, 206, 299, 301, 302, 303, 307, 308):
    row("invalidate-by-%d" % status, "RFC 9111 §4.4", MUST, "A %d is a non-error response: POST makes invalid." % status,
        first(HOUR), cached(), after("POST", *(("Location: /elsewhere",) if status // 100 == 3 else ()), status=status), fetched(says=AGAIN))
for status in (400, 403, 404, 409, 500, 502, 503):
    row("invalidate-not-by-%d" % status, "RFC 9111 §4.4", MAY, "A %d is an error: what is stored stays." % status,
        first(HOUR), cached(), after("POST", status=status), cached())
for method in ("HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH"):
    row("invalidate-not-%s" % method.lower(), "RFC 9111 §4.4", MAY, "%s is safe: what is stored stays." % method,
        first(HOUR), cached(), sent(method, says=answer("Cache-Control: no-store")) if method == "HEAD" else
        after(method, body=None), cached())
row("invalidate-closed", "RFC 9111 §4.4", MAY, "A POST that the backend did not answer is no non-error response.",
    first(HOUR), cached(), sent("POST", says=answer(framing="nothing"), sends=b"x"), sent("GET", says=AGAIN, status=200))

for method in UNSAFE:
    for field in ("Location", "Content-Location"):
        row("invalidate-%s-%s" % (field.lower(), method.lower()), "RFC 9111 §4.4", MAY,
            "%s of a successful %s is made invalid, too." % (field, method),
            first(HOUR, to="/a"), cached(to="/a"), after(method, "%s: {path}/a" % field, to="/b"), fetched(to="/a", says=AGAIN))
for field in ("Location", "Content-Location"):
    name = field.lower()
    row("invalidate-%s-absolute" % name, "RFC 9111 §4.4", MAY, "%s as an absolute URI of the same origin." % field,
        first(HOUR, to="/a"), cached(to="/a"), after("POST", "%s: {origin}{path}/a" % field, to="/b"), fetched(to="/a", says=AGAIN))
    row("invalidate-%s-relative" % name, "RFC 3986 §5.2", MAY, "%s relative to the target." % field,
        first(HOUR, to="/a"), cached(to="/a"), after("POST", "%s: a" % field, to="/b"), fetched(to="/a", says=AGAIN))
    row("invalidate-%s-dots" % name, "RFC 3986 §5.2.4", MAY, "%s with dot segments." % field,
        first(HOUR, to="/a"), cached(to="/a"), after("POST", "%s: ../a" % field, to="/b/c"), fetched(to="/a", says=AGAIN))
    row("invalidate-%s-query" % name, "RFC 9111 §4.4", MAY, "%s with a query names that resource, and not the one without." % field,
        first(HOUR, to="/a?x=1"), fetched(to="/a"), cached(to="/a?x=1"), after("POST", "%s: {path}/a?x=1" % field, to="/b"),
        fetched(to="/a?x=1", says=AGAIN), cached(to="/a"))
    row("invalidate-%s-other-host" % name, "RFC 9111 §4.4", MUST, "%s of another origin makes nothing invalid: host." % field,
        first(HOUR, to="/a"), fetched("Host: other.test", to="/a"),
        after("POST", "%s: http://other.test{path}/a" % field, to="/b"), cached("Host: other.test", to="/a"), cached(to="/a"))
    row("invalidate-%s-other-scheme" % name, "RFC 9111 §4.4", MUST, "%s of another origin makes nothing invalid: scheme." % field,
        first(HOUR, to="/a"), cached(to="/a"), after("POST", "%s: https://gateway.test{path}/a" % field, to="/b"), cached(to="/a"))
    row("invalidate-%s-other-port" % name, "RFC 9111 §4.4", MUST, "%s of another origin makes nothing invalid: port." % field,
        first(HOUR, to="/a"), cached(to="/a"), after("POST", "%s: http://gateway.test:81{path}/a" % field, to="/b"), cached(to="/a"))
    row("invalidate-%s-network-path" % name, "RFC 3986 §4.2", MUST, "A network-path reference names another host." ,
        first(HOUR, to="/a"), cached(to="/a"), after("POST", "%s: //other.test{path}/a" % field, to="/b"), cached(to="/a"))
    row("invalidate-%s-error" % name, "RFC 9111 §4.4", MAY, "%s of an error makes nothing invalid." % field,
        first(HOUR, to="/a"), cached(to="/a"), after("POST", "%s: {path}/a" % field, to="/b", status=400), cached(to="/a"))
    row("invalidate-%s-get" % name, "RFC 9111 §4.4", MAY, "%s of a response to GET makes nothing invalid." % field,
        first(HOUR, to="/a"), cached(to="/a"), fetched(says=answer("Cache-Control: no-store", "%s: {path}/a" % field), to="/b"),
        cached(to="/a"))
row("invalidate-target-too", "RFC 9111 §4.4", MUST, "With Location, the target is made invalid all the same.",
    first(HOUR, to="/b"), cached(to="/b"), after("POST", "Location: {path}/a", to="/b", status=201), fetched(to="/b", says=AGAIN))
row("invalidate-both", "RFC 9111 §4.4", MAY, "Location and Content-Location both.",
    first(HOUR, to="/a"), fetched(to="/c"), after("POST", "Location: {path}/a", "Content-Location: {path}/c", to="/b", status=201),
    fetched(to="/a", says=AGAIN), fetched(to="/c"))
row("invalidate-default-port", "RFC 9110 §4.2.3", MAY, "The default port written out is the same origin.",
    first(HOUR, to="/a"), cached(to="/a"), after("POST", "Location: http://gateway.test:80{path}/a", to="/b"), fetched(to="/a", says=AGAIN))
row("invalidate-garbage", "RFC 9111 §4.4", MUST, "A Location that is no reference does no harm; the target is invalid.",
    first(HOUR), cached(), after("POST", "Location: http://[", "Content-Location: %zz"), fetched(says=AGAIN), cached())

row("invalidate-variants", "RFC 9111 §4.4", MUST, "All variants are made invalid.",
    first(HOUR, "Vary: X-One", asks=("X-One: 1",)), fetched("X-One: 2"), cached("X-One: 1"), cached("X-One: 2"), after("POST"),
    fetched("X-One: 1", says=answer(HOUR, "Vary: X-One")), fetched("X-One: 2"))
row("invalidate-query-apart", "RFC 9111 §4.4", MAY, "Another query is another resource: it stays.",
    first(HOUR, to="?a"), cached(to="?a"), after("POST", to="?b"), cached(to="?a"))
row("invalidate-query", "RFC 9111 §4.4", MUST, "The target's query belongs to it.",
    first(HOUR, to="?a"), cached(to="?a"), after("POST", to="?a"), fetched(to="?a", says=AGAIN))
row("invalidate-other-host", "RFC 9111 §4.4", MUST, "The same path of another host stays.",
    first(HOUR), fetched("Host: other.test"), after("POST"), cached("Host: other.test"), fetched(says=AGAIN))
row("invalidate-head", "RFC 9111 §4.4", MUST, "HEAD is not answered from what was made invalid.",
    first(HOUR), cached(), after("DELETE", status=204), fetched(method="HEAD", says=AGAIN))
row("invalidate-etag", "RFC 9111 §4.4", MUST, "What was made invalid is not reused without asking, whatever its ETag.",
    first(HOUR, 'ETag: "a"'), cached(), after("PUT"), fetched(says=answer(HOUR, 'ETag: "b"')), cached(has={"ETag": '"b"'}))
row("invalidate-conditional", "RFC 9111 §4.4", MUST, "A client's conditional is not answered from it either.",
    first(HOUR, 'ETag: "a"'), cached(), after("PUT"), fetched('If-None-Match: "a"', says=answer(HOUR, 'ETag: "b"'), status=200))
row("invalidate-twice", "RFC 9111 §4.4", MUST, "What is stored after it is made invalid by the next.",
    first(HOUR), after("POST"), fetched(says=AGAIN), cached(), after("POST"), fetched(says=AGAIN), cached())
row("invalidate-redirect", "RFC 9111 §4.4", MUST, "A stored redirect is made invalid as well.",
    first(HOUR, "Location: /x", origin_status=301), cached(status=301), after("PUT"), fetched(says=AGAIN))
row("invalidate-with-authorization", "RFC 9111 §4.4", MUST, "A POST with Authorization makes invalid as any other.",
    first(HOUR), cached(), sent("POST", "Authorization: Basic eDp5", says=answer("Cache-Control: no-store"), sends=b"x"), fetched(says=AGAIN))
row("invalidate-no-store-request", "RFC 9111 §4.4", MUST, "A POST with Cache-Control: no-store does, too.",
    first(HOUR), cached(), sent("POST", "Cache-Control: no-store", says=answer(), sends=b"x"), fetched(says=AGAIN))
row("invalidate-not-others", "RFC 9111 §4.4", MAY, "What lies below the target's path stays.",
    first(HOUR, to="/a/b"), cached(to="/a/b"), after("POST", to="/a"), cached(to="/a/b"))
