"""RFC 9111 §3: what may be stored. Methods, statuses, directives that forbid it, credentials, incomplete responses."""
from language import MAY, MUST, SAME, SHOULD, answer, cached, fetched, first, row, sent

FRESH = "Cache-Control: max-age=3600"

# ------------------------------------------------------------------------------------------------------------ methods

row("get", "RFC 9111 §2", MAY, "A fresh response to GET is reused.", first(FRESH), cached())
row("get-twice", "RFC 9111 §2", MAY, "It is reused as often as it is asked for.", first(FRESH), cached(), cached(), cached())
row("get-large-body", "RFC 9111 §3", MAY, "A body of some hundred kilobytes is reused byte for byte.",
    first(FRESH, origin_body=bytes(range(256)) * 1000), cached())
row("get-empty-body", "RFC 9111 §3", MAY, "An empty body is a body.", first(FRESH, origin_body=b""), cached())
row("get-chunked", "RFC 9111 §3", MAY, "A chunked response is reused with the same content.",
    fetched(says=answer(FRESH, framing="chunked")), cached())
row("get-trailer", "RFC 9110 §6.5.1", MUST, "Trailer fields are not stored as header fields.",
    fetched(says=answer(FRESH, framing="trailer"), has={"X-Trailer": None}), cached(has={"X-Trailer": None}))
row("get-content", "RFC 9110 §9.3.1", SHOULD, "GET with content is neither answered from what is stored nor stored.",
    fetched(sends=b"x", says=answer(FRESH)), fetched(), fetched(sends=b"y"), cached())
row("get-until-close", "RFC 9112 §6.3", MAY, "A response whose end is that of the connection is whole.",
    fetched(says=answer(FRESH, framing="close")), cached())
row("get-chunked-compressed", "RFC 9111 §3", MUST, "Content-Encoding and the encoded body are reused as they came.",
    first(FRESH, "Content-Encoding: gzip", "Vary: Accept-Encoding", asks=("Accept-Encoding: gzip",), origin_body=b"\x1f\x8b\0\1"),
    cached("Accept-Encoding: gzip", has={"Content-Encoding": "gzip"}, body=b"\x1f\x8b\0\1"))

for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
    row("write-through-%s" % method.lower(), "RFC 9111 §4", MUST,
        "%s is passed on to the backend though a fresh response to GET is stored." % method,
        first(FRESH), fetched(method=method, sends=b"x" if method != "OPTIONS" else None))
    row("not-stored-%s" % method.lower(), "RFC 9111 §3", MUST, "A response to %s does not answer GET." % method,
        fetched(method=method, says=answer(FRESH, body=b"of another method")), fetched())
row("post-content-location", "RFC 9110 §9.3.3", MAY,
    "A response to POST answers no later POST, whatever its Content-Location and freshness.",
    fetched(method="POST", sends=b"x", says=answer(FRESH, "Content-Location: {path}")), fetched(method="POST", sends=b"x"))
row("head-not-for-get", "RFC 9111 §3", MUST, "A response to HEAD does not answer GET.",
    fetched(method="HEAD", says=answer(FRESH)), fetched())
row("head-from-get", "RFC 9110 §9.3.2", MAY, "HEAD is answered from a stored response to GET.",
    first(FRESH), cached(method="HEAD", has={"Content-Length": "8"}, body=b""))
row("head-from-get-chunked", "RFC 9110 §9.3.2", MAY, "Also where the stored response came in chunks.",
    fetched(says=answer(FRESH, framing="chunked")), cached(method="HEAD", body=b""))
row("head-stale", "RFC 9111 §4.2.4", MUST, "HEAD is not answered from a stale response.",
    first(FRESH, "Age: 7200"), fetched(method="HEAD"))

# ----------------------------------------------------------------------------------------------------------- statuses

FINAL = (200, 201, 202, 203, 204, 205, 299, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411,
         412, 413, 414, 415, 417, 418, 421, 422, 423, 424, 426, 451, 499, 500, 501, 502, 503, 504, 505, 507, 599)
FORBIDDEN = (428, 429, 431, 511)
BY_GUESS = (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501)
NOT_BY_GUESS = (201, 202, 302, 303, 307, 400, 403, 406, 409, 418, 422, 500, 502, 503, 504, 599)


def location_of(status):
    return ("Location: /elsewhere",) if status in (201, 300, 301, 302, 303, 307, 308) else ()


for status in FINAL:
    body = b"" if status == 205 else None
    row("status-%d-fresh" % status, "RFC 9111 §3", MAY, "A %d that states its freshness is reused." % status,
        first(FRESH, *location_of(status), origin_status=status, origin_body=body), cached(status=status))
    row("status-%d-stale" % status, "RFC 9111 §4.2.4", MUST, "A stale %d is not reused." % status,
        first(FRESH, "Age: 7200", *location_of(status), origin_status=status, origin_body=body), fetched(status=status))
for status in FORBIDDEN:
    row("status-%d-not-stored" % status, "RFC 6585 §%d" % {428: 3, 429: 4, 431: 5, 511: 6}[status], MUST,
        "A %d is never stored, whatever it states." % status,
        first("Cache-Control: public, max-age=3600", origin_status=status), fetched())
for status in BY_GUESS:
    row("status-%d-guessed" % status, "RFC 9111 §4.2.2", MAY,
        "A %d with Last-Modified and no stated freshness is reused by a heuristic." % status,
        first("Last-Modified: {now-360000}", *location_of(status), origin_status=status), cached(status=status))
for status in NOT_BY_GUESS:
    row("status-%d-not-guessed" % status, "RFC 9111 §4.2.2", MUST,
        "A %d without stated freshness is not reused." % status,
        first("Last-Modified: {now-360000}", *location_of(status), origin_status=status), fetched())
for status in (201, 302, 403, 599):
    row("status-%d-public" % status, "RFC 9111 §5.2.2.9", MAY,
        "public makes a %d with Last-Modified reusable by a heuristic." % status,
        first("Cache-Control: public", "Last-Modified: {now-360000}", *location_of(status), origin_status=status), cached())
row("status-599-no-store", "RFC 9111 §5.2.2.5", MUST, "no-store forbids storing a response of unknown status.",
    first("Cache-Control: max-age=3600, no-store", origin_status=599), fetched())

# --------------------------------------------------------------------------------------------------- directives that forbid

for name, field in (
    ("alone", "no-store"), ("with-max-age", "max-age=3600, no-store"), ("before-max-age", "no-store, max-age=3600"),
    ("upper-case", "max-age=3600, NO-STORE"), ("mixed-case", "max-age=3600, No-StOrE"), ("tight", "max-age=3600,no-store"),
    ("wide", "max-age=3600 \t,  no-store\t"), ("after-quoted", 'max-age=3600, ext="a, b", no-store'),
    ("after-escaped", 'max-age=3600, ext="a\\", b", no-store'), ("empty-elements", ",, max-age=3600,, no-store,"),
    ("with-argument", "max-age=3600, no-store=1"), ("with-public", "public, max-age=3600, no-store"),
    ("twice", "no-store, max-age=3600, no-store"),
):
    row("no-store-%s" % name, "RFC 9111 §5.2.2.5", MUST, "no-store forbids storing: Cache-Control: %s" % field,
        first("Cache-Control: " + field), fetched())
row("no-store-second-line", "RFC 9110 §5.3", MUST, "Lines of one field are one list: no-store in a second line counts.",
    first(FRESH, "Cache-Control: no-store"), fetched())
row("no-store-lower-case-name", "RFC 9110 §5.1", MUST, "Field names are case-insensitive: cache-control: no-store.",
    first("cache-control: max-age=3600, no-store"), fetched())
row("no-store-quoted-is-none", "RFC 9111 §5.2", MAY, "no-store within a quoted string is no directive.",
    first('Cache-Control: max-age=3600, ext="a, no-store, b"'), cached())
row("no-store-suffix-is-none", "RFC 9111 §5.2.3", MAY, "An unknown directive that begins with a known name is ignored.",
    first("Cache-Control: max-age=3600, no-storeage"), cached())
row("no-store-keeps-nothing-older", "RFC 9111 §5.2.2.5", MUST,
    "A validation answered by a 200 with no-store leaves nothing to be reused as its response.",
    first('ETag: "a"', FRESH, "Age: 7200"), fetched(says=answer("Cache-Control: no-store")), fetched())

for name, field in (
    ("alone", "private"), ("with-max-age", "private, max-age=3600"), ("with-s-maxage", "private, s-maxage=3600"),
    ("upper-case", "PRIVATE, max-age=3600"), ("with-public", "public, private, max-age=3600"),
):
    row("private-%s" % name, "RFC 9111 §5.2.2.7", MUST, "A shared cache does not store private: Cache-Control: %s" % field,
        first("Cache-Control: " + field), fetched())
row("private-field", "RFC 9111 §5.2.2.7", MUST, 'private="X-Secret": the field reaches no second client.',
    first('Cache-Control: max-age=3600, private="X-Secret"', "X-Secret: mine"),
    sent("GET", says=answer(FRESH), status=200, has={"X-Secret": None}))
row("private-fields", "RFC 9111 §5.2.2.7", MUST, 'private="X-One, X-Two" and an unquoted name mean the same.',
    first('Cache-Control: max-age=3600, private="x-one, X-Two"', "X-One: 1", "X-Two: 2"),
    sent("GET", says=answer(FRESH), status=200, has={"X-One": None, "X-Two": None}))

row("must-understand-known", "RFC 9111 §5.2.2.3", MAY,
    "must-understand with a status that is understood lets no-store be ignored.",
    first("Cache-Control: max-age=3600, must-understand, no-store"), cached())
row("must-understand-alone", "RFC 9111 §5.2.2.3", MAY, "must-understand alone forbids nothing for a known status.",
    first("Cache-Control: max-age=3600, must-understand"), cached())
for status in (299, 499, 599):
    row("must-understand-%d" % status, "RFC 9111 §5.2.2.3", MUST,
        "must-understand forbids storing a status that is not understood (%d)." % status,
        first("Cache-Control: max-age=3600, must-understand", origin_status=status), fetched())
row("unknown-directive", "RFC 9111 §5.2.3", MUST, "Directives that are not understood are ignored.",
    first('Cache-Control: foo, max-age=3600, bar=baz, qux="a b"'), cached())
row("no-transform", "RFC 9111 §5.2.2.6", MUST, "no-transform: the content is not changed, and it may be stored.",
    first("Cache-Control: max-age=3600, no-transform", "Content-Type: text/plain", origin_body=b"  as  it  is  "),
    cached("Accept-Encoding: gzip", body=b"  as  it  is  ", has={"Content-Type": "text/plain", "Content-Encoding": None}))

# -------------------------------------------------------------------------------------------------------- credentials

MINE, YOURS = "Authorization: Basic bWluZTp4", "Authorization: Basic eW91cnM6eA=="
for name, directives in (("max-age", "max-age=3600"), ("expires", None), ("no-transform", "max-age=3600, no-transform")):
    said = ["Cache-Control: " + directives] if directives else ["Expires: {now+3600}"]
    row("authorization-%s" % name, "RFC 9111 §3.5", MUST,
        "A response to a request with Authorization is not reused where nothing allows it (%s)." % name,
        first(*said, asks=(MINE,)), fetched(YOURS), fetched(MINE), fetched())
for name, directives in (("public", "public, max-age=3600"), ("s-maxage", "s-maxage=3600"),
                         ("must-revalidate", "must-revalidate, max-age=3600")):
    row("authorization-%s" % name, "RFC 9111 §3.5", MAY, "It is reused where %s allows it." % name,
        first("Cache-Control: " + directives, asks=(MINE,)), cached(YOURS), cached())
row("authorization-private", "RFC 9111 §3.5", MUST, "private, together with s-maxage, still forbids it.",
    first("Cache-Control: private, s-maxage=3600", asks=(MINE,)), fetched(YOURS))
for name, field in (("authorization", MINE), ("cookie", "Cookie: id=mine")):
    row("credential-default-%s" % name, "RFC 9111 §4.2.2", SHOULD,
        "What says nothing about freshness, asked for with %s, is not stored." % name.title(), first(asks=(field,)), fetched())
    row("credential-guess-%s" % name, "RFC 9111 §4.2.2", SHOULD,
        "With %s, no freshness is guessed from Last-Modified." % name.title(),
        first("Last-Modified: {now-360000}", asks=(field,)), fetched())
    row("credential-reuse-default-%s" % name, "RFC 9111 §4.2.2", SHOULD,
        "What was stored by a default for one without credentials is not reused with %s." % name.title(),
        first(), cached(), fetched(field))
row("cookie-stated", "RFC 9111 §3", MAY, "A response that states its freshness is reused though the request had Cookie.",
    first(FRESH, asks=("Cookie: id=mine",)), cached("Cookie: id=yours"))

for name, directives in (("max-age", "max-age=3600"), ("public", "public, max-age=3600")):
    row("set-cookie-%s" % name, "RFC 9111 §7.3", SHOULD, "A response with Set-Cookie is not shared (%s)." % name,
        first("Cache-Control: " + directives, "Set-Cookie: id=mine"), fetched())
row("set-cookie-default", "RFC 9111 §7.3", SHOULD, "Nor is one that says nothing else.", first("Set-Cookie: id=mine"), fetched())
row("set-cookie-by-configuration", "RFC 9111 §7.3", MAY,
    "Where configuration and response (public) allow it, Set-Cookie is shared.",
    first("Cache-Control: public, max-age=3600", "Set-Cookie: theme=dark"), cached(has={"Set-Cookie": SAME}),
    config="share_set_cookie")
row("set-cookie-s-maxage-by-configuration", "RFC 9111 §7.3", MAY, "The same with s-maxage.",
    first("Cache-Control: s-maxage=3600", "Set-Cookie: theme=dark"), cached(has={"Set-Cookie": SAME}), config="share_set_cookie")
row("set-cookie-not-by-configuration-alone", "RFC 9111 §7.3", SHOULD, "Configuration alone does not share it.",
    first(FRESH, "Set-Cookie: id=mine"), fetched(), config="share_set_cookie")
row("set-cookie-lines", "RFC 6265 §3", MUST, "Set-Cookie fields of one response stay separate fields.",
    first("Cache-Control: public, max-age=3600", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2"),
    cached(has={"Set-Cookie": ["a=1; Path=/", "b=2"]}), config="share_set_cookie")

# --------------------------------------------------------------------------------------------------------- incomplete

for framing in ("short", "open"):
    row("incomplete-%s" % framing, "RFC 9111 §3.3", MUST,
        "A response that broke off is not reused as whole (%s)." % {"short": "Content-Length", "open": "chunked"}[framing],
        sent("GET", says=answer(FRESH, framing=framing)), fetched(says=answer(FRESH)), cached())
row("incomplete-none", "RFC 9111 §3", MUST, "Where the backend closed the connection instead, nothing is stored.",
    sent("GET", says=answer(framing="nothing")), fetched(says=answer(FRESH)), cached())

# ---------------------------------------------------------------------------------------------------------- cache key

row("key-query", "RFC 9111 §2", MUST, "Another query is another resource.",
    first(FRESH, to="?a=1"), fetched(to="?a=2"), fetched(), cached(to="?a=1"))
row("key-query-same", "RFC 9111 §2", MAY, "A response with a query is reused for the same one.",
    first(FRESH, to="?a=1&b=2"), cached(to="?a=1&b=2"))
row("key-query-order", "RFC 9111 §2", MUST, "The order of a query is part of it.", first(FRESH, to="?a=1&b=2"), fetched(to="?b=2&a=1"))
row("key-query-empty", "RFC 3986 §6.2.3", MUST, "An empty query is not the same as none.", first(FRESH), fetched(to="?"))
row("key-query-guessed", "RFC 9111 §4.2.2", MAY, "A heuristic applies to resources with a query, too.",
    first("Last-Modified: {now-360000}", to="?a=1"), cached(to="?a=1"))
row("key-path", "RFC 9111 §2", MUST, "Another path is another resource, and so is another case.",
    first(FRESH, to="/a"), fetched(to="/A"), fetched(to="/a/"), cached(to="/a"))
row("key-host", "RFC 9111 §2", MUST, "Another host is another resource.", first(FRESH), fetched("Host: other.test"), cached())
for name, host in (("80", "gateway.test:80"), ("080", "Gateway.test:080"), ("empty", "gateway.test:")):
    row("key-host-port-%s" % name, "RFC 3986 §6.2.3", MAY, "A scheme's own port makes no difference.",
        first(FRESH, asks=("Host: gateway.test",)), cached("Host: " + host), sent("DELETE", "Host: " + host, status=200, asked=1), fetched("Host: gateway.test"))
row("key-host-port-443", "RFC 3986 §6.2.3", MUST, "Another scheme's port is another resource.", first(FRESH, asks=("Host: gateway.test",)), fetched("Host: gateway.test:443"))
row("key-host-dot", "RFC 3986 §3.2.2", MUST, "A name with a dot at its end is another one.", first(FRESH, asks=("Host: gateway.test",)), fetched("Host: gateway.test."))
row("key-host-case", "RFC 9110 §4.2.3", MAY, "A host's case makes no difference.", first(FRESH), cached("Host: GATEWAY.test"))
