"""RFC 9111 §3.1, §3.2, §4.3.4 and §4.3.5: which fields are stored, what updates them, and interim responses."""
import re

from language import LATEST, MAY, MUST, SAME, SHOULD, Step, answer, cached, fetched, first, row, sent, validated

HOUR, OLD, ETAG = "Cache-Control: max-age=3600", "Age: 7200", 'ETag: "a"'


def key(name):
    return re.sub("[^a-z0-9]+", "-", name.lower())


# ------------------------------------------------------------------------------------------------------ stored (§3.1)

STORED = (
    ("Content-Type", "text/plain; charset=utf-8"), ("Content-Language", "de, en"), ("Content-Encoding", "x-none"),
    ("Content-Disposition", 'attachment; filename="a.txt"'), ("Content-Location", "/elsewhere"), ("Content-Security-Policy", "default-src 'self'"),
    ("Content-MD5", "Q2hlY2sgSW50ZWdyaXR5IQ=="), ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT"), ("ETag", '"a"'),
    ("Expires", "Mon, 01 Jan 2024 00:00:00 GMT"), ("Link", "</a.css>; rel=preload"), ("Location", "/elsewhere"), ("Allow", "GET, HEAD"),
    ("Accept-Ranges", "bytes"), ("Retry-After", "120"), ("Refresh", "30"), ("Pragma", "no-cache"), ("P3P", "x"),
    ("Strict-Transport-Security", "max-age=31536000"), ("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff"),
    ("X-XSS-Protection", "1; mode=block"), ("Access-Control-Allow-Origin", "https://a.test"), ("Warning", '199 - "x"'), ("Test-Header", "x"),
    ("X-Test-Header", "x"), ("Content-Foo", "x"), ("X-Content-Foo", "x"), ("Surrogate-Control", "x"), ("Vary", "X-None"),
)
for name, value in STORED:
    row("stores-%s" % key(name), "RFC 9111 §3.1", MUST, "%s is stored and reused." % name,
        first(HOUR, "%s: %s" % (name, value)), cached(has={name: SAME}))
row("stores-retry-after-503", "RFC 9111 §3.1", MUST, "Retry-After of a 503 is stored and reused.",
    first(HOUR, "Retry-After: 120", origin_status=503), cached(has={"Retry-After": "120"}))
row("stores-cache-control", "RFC 9111 §3.1", MUST, "Cache-Control is stored and passed on, with what is not understood.",
    first('Cache-Control: max-age=3600, foo="a, b"'), cached(has={"Cache-Control": 'max-age=3600, foo="a, b"'}))
row("stores-lines", "RFC 9110 §5.3", MUST, "The order of a field's lines is kept.",
    first(HOUR, "X-Lines: a", "X-Other: x", "X-Lines: b, c", "X-Lines: d"), cached(has={"X-Lines": re.compile("^a, b, c, d$")}))
row("stores-empty", "RFC 9110 §5.5", MUST, "A field without a value is stored.", first(HOUR, "X-Empty:"), cached(has={"X-Empty": [""]}))
row("stores-bytes", "RFC 9110 §5.5", SHOULD, "Bytes beyond ASCII are stored as they came.",
    first(HOUR, "X-Bytes: \xe9\xff"), cached(has={"X-Bytes": "\xe9\xff"}))
row("stores-long", "RFC 9111 §3.1", MUST, "A field of many kilobytes is stored whole.",
    first(HOUR, "X-Long: " + "x" * 20000), cached(has={"X-Long": "x" * 20000}))
row("stores-many", "RFC 9111 §3.1", MUST, "Sixty fields are stored.",
    first(HOUR, *["X-Many-%d: %d" % (number, number) for number in range(60)]), cached(has={"X-Many-0": "0", "X-Many-59": "59"}))

for name, value in (("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("Upgrade", "foo/1"), ("TE", "trailers"),
                    ("Trailer", "X-None")):
    row("hop-%s" % key(name), "RFC 9111 §3.1", MUST, "%s is of one connection and not reused." % name,
        first(HOUR, "%s: %s" % (name, value), "Connection: %s" % name), cached(has={name: None}))
for name, value in (("Proxy-Authenticate", "Basic"), ("Proxy-Authentication-Info", "x=1"), ("Proxy-Authorization", "Basic eDp5")):
    row("proxy-%s" % key(name)[6:], "RFC 9111 §3.1", MUST, "%s is not stored." % name,
        first(HOUR, "%s: %s" % (name, value)), cached(has={name: None}))
row("connection-names", "RFC 9110 §7.6.1", MUST, "What Connection names is removed, and not stored.",
    first(HOUR, "Connection: X-One, x-two", "X-One: 1", "X-Two: 2", "X-Three: 3", has={"X-One": None, "X-Two": None}),
    cached(has={"X-One": None, "X-Two": None, "X-Three": "3"}))
row("connection-lines", "RFC 9110 §7.6.1", MUST, "Also in a second line of Connection.",
    first(HOUR, "Connection: X-One", "Connection: X-Two", "X-One: 1", "X-Two: 2"), cached(has={"X-One": None, "X-Two": None}))

# ----------------------------------------------------------------------------------------- updated by a 304 (§3.2, §4.3.4)

UPDATED = (
    ("Test-Header", "1", "2"), ("X-Test-Header", "1", "2"), ("Content-Foo", "1", "2"), ("X-Content-Foo", "1", "2"),
    ("Content-Language", "en", "de"), ("Content-Disposition", "inline", "attachment"), ("Content-Location", "/a", "/b"),
    ("Content-Security-Policy", "default-src 'self'", "default-src 'none'"), ("Content-MD5", "YQ==", "Yg=="),
    ("X-Frame-Options", "DENY", "SAMEORIGIN"), ("X-XSS-Protection", "1", "0"), ("Link", "</a>; rel=a", "</b>; rel=b"), ("P3P", "a", "b"),
    ("Access-Control-Allow-Origin", "https://a.test", "https://b.test"), ("Surrogate-Control", "a", "b"), ("Server", "a", "b"),
    ("Strict-Transport-Security", "max-age=1", "max-age=2"), ("Last-Modified", "{now-36000}", "{now-18000}"),
    ("Expires", "{now-50}", "{now+50}"), ("Date", "{now-20}", "{now-10}"),
)
for name, before, after in UPDATED:
    row("updates-%s" % key(name), "RFC 9111 §3.2", MUST, "A 304 updates %s, in its own response and in later ones." % name,
        first(HOUR, OLD, ETAG, "%s: %s" % (name, before)),
        validated(says=(HOUR, "%s: %s" % (name, after)), has={name: LATEST}), cached(has={name: LATEST}))
row("updates-cache-control", "RFC 9111 §3.2", MUST, "A 304 updates Cache-Control as a whole.",
    first("Cache-Control: max-age=0, public", ETAG), validated(says="Cache-Control: max-age=3600"),
    cached(has={"Cache-Control": "max-age=3600"}))
row("updates-adds", "RFC 9111 §3.2", MUST, "A 304 adds what the stored response did not have.",
    first(HOUR, OLD, ETAG), validated(says=(HOUR, "X-New: 1"), has={"X-New": "1"}), cached(has={"X-New": "1"}))
row("updates-all-lines", "RFC 9111 §3.2", MUST, "A 304's field replaces all lines of the stored one.",
    first(HOUR, OLD, ETAG, "X-Lines: a", "X-Lines: b"), validated(says=(HOUR, "X-Lines: c")), cached(has={"X-Lines": ["c"]}))
row("updates-to-lines", "RFC 9111 §3.2", MUST, "A 304's lines all replace the stored one.",
    first(HOUR, OLD, ETAG, "X-Lines: a"), validated(says=(HOUR, "X-Lines: b", "X-Lines: c")),
    cached(has={"X-Lines": re.compile("^b, c$")}))
row("updates-any-case", "RFC 9110 §5.1", MUST, "Field names are matched case-insensitively.",
    first(HOUR, OLD, ETAG, "X-Case: a"), validated(says=(HOUR, "x-cAsE: b")), cached(has={"X-Case": ["b"]}))
row("keeps-others", "RFC 9111 §3.2", MUST, "What a 304 does not have stays.",
    first(HOUR, OLD, ETAG, "X-Kept: 1", "Content-Type: text/html"), validated(says=(HOUR, "X-Other: 2")),
    cached(has={"X-Kept": "1", "Content-Type": "text/html"}))
row("keeps-content-length", "RFC 9111 §3.2", MUST, "A 304's Content-Length updates nothing.",
    first(HOUR, OLD, ETAG), validated(says=(HOUR, "Content-Length: 999")), cached(has={"Content-Length": "8"}))
row("keeps-hop-by-hop-out", "RFC 9111 §3.2", MUST, "What may not be stored is not stored from a 304 either.",
    first(HOUR, OLD, ETAG), validated(says=(HOUR, "Connection: X-Hop", "X-Hop: 1", "Proxy-Authenticate: Basic")),
    cached(has={"X-Hop": None, "Proxy-Authenticate": None}))
row("keeps-set-cookie-out", "RFC 9111 §7.3", SHOULD, "A 304's Set-Cookie reaches no second client.",
    first(HOUR, OLD, ETAG), validated(says=(HOUR, "Set-Cookie: id=mine")), sent("GET", says=answer(HOUR), has={"Set-Cookie": None}))
row("updates-twice", "RFC 9111 §4.3.4", MUST, "A second 304 updates what the first has updated.",
    first("Cache-Control: max-age=0", ETAG, "X-V: 1"), validated(says=("Cache-Control: max-age=0", "X-V: 2"), has={"X-V": "2"}),
    validated(says=(HOUR, "X-V: 3"), has={"X-V": "3"}), cached(has={"X-V": "3"}))
row("validated-keeps-fields", "RFC 9111 §4.3.4", MUST, "The response of a validation has the stored fields.",
    first(HOUR, OLD, ETAG, "Content-Type: text/html", "X-Kept: 1"),
    validated(has={"Content-Type": "text/html", "X-Kept": "1", "ETag": '"a"'}))

# ------------------------------------------------------------------------------------------- updated by HEAD (§4.3.5)

RELOAD = "Cache-Control: no-cache"
row("head-updates", "RFC 9111 §4.3.5", SHOULD, "A HEAD's 200 with the same validators and length updates the stored response.",
    first(HOUR, ETAG, "X-V: 1"), sent("HEAD", RELOAD, says=answer(HOUR, ETAG, "X-V: 2")), cached(has={"X-V": "2"}))
row("head-refreshes", "RFC 9111 §4.3.5", SHOULD, "It makes a stale one fresh.",
    first(HOUR, OLD, ETAG), sent("HEAD", says=answer(HOUR, ETAG)), cached(has={"Age": (0, 60)}))
row("head-other-etag", "RFC 9111 §4.3.5", SHOULD, "A HEAD's other ETag makes the stored response stale.",
    first(HOUR, ETAG), fetched(RELOAD, method="HEAD", says=answer(HOUR, 'ETag: "b"')), fetched())
row("head-other-length", "RFC 9111 §4.3.5", SHOULD, "A HEAD's other Content-Length makes it stale.",
    first(HOUR, ETAG), fetched(RELOAD, method="HEAD", says=answer(HOUR, ETAG, "Content-Length: 999")), fetched(says=answer(HOUR, ETAG)))
row("head-other-last-modified", "RFC 9111 §4.3.5", SHOULD, "A HEAD's other Last-Modified makes it stale.",
    first(HOUR, "Last-Modified: {now-3600}"), fetched(RELOAD, method="HEAD", says=answer(HOUR, "Last-Modified: {now-10}")), fetched())
row("head-error", "RFC 9111 §4.3.5", MAY, "A HEAD's error updates nothing in the stored response.",
    first(HOUR, ETAG, "X-V: 1"), fetched(RELOAD, method="HEAD", says=answer(HOUR, ETAG, "X-V: 2", status=500)),
    sent("GET", says=answer(HOUR, ETAG, "X-V: 1"), status=200, has={"X-V": "1"}))

# ------------------------------------------------------------------------------------------------------------ interim

EARLY = ("Link: </a.css>; rel=preload", "X-Early: 1")
for status in (102, 103, 199):
    row("interim-%d" % status, "RFC 9110 §15.2", MUST, "A %d is passed on, and is no part of what is stored." % status,
        fetched(says=answer(HOUR, interim=[(status, EARLY)]), interim=[status], has={"X-Early": None}),
        cached(interim=[], has={"X-Early": None, "Link": None}))
row("interim-several", "RFC 9110 §15.2", MUST, "Several interim responses are passed on in their order.",
    fetched(says=answer(HOUR, interim=[(103, EARLY), (102, ()), (103, EARLY)]), interim=[103, 102, 103]), cached(interim=[]))
row("interim-no-store", "RFC 9111 §3", MUST, "An interim response's Cache-Control is not that of the final one.",
    fetched(says=answer(HOUR, interim=[(103, ("Cache-Control: no-store",))])), cached())
row("interim-max-age", "RFC 9111 §3", MUST, "Nor where it would allow more.",
    fetched(says=answer("Cache-Control: no-store", interim=[(103, ("Cache-Control: max-age=3600",))])), fetched())
row("interim-before-304", "RFC 9110 §15.2", MAY, "An interim response before a 304 changes nothing in the validation.",
    first(HOUR, OLD, ETAG),
    Step("validated", says=answer(HOUR, ETAG, status=304, if_conditional=True, interim=[(103, EARLY)])), cached(has={"X-Early": None}))
