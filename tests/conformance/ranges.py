"""RFC 9110 §14 and RFC 9111 §3.3, §3.4: parts of a response that is stored whole, and parts that the backend sends."""
from language import MAY, MUST, SAME, SHOULD, answer, cached, fetched, first, row, sent, stale, validated

HOUR, OLD, ETAG, DIGITS = "Cache-Control: max-age=3600", "Age: 7200", 'ETag: "a"', b"0123456789"


def whole(*said, **more):
    """The first step: ten digits that are stored."""
    return first(HOUR, *said, origin_body=DIGITS, **more)


def sent_nowhere(*fields, **more):
    return sent("GET", *fields, asked=0, **more)


# ---------------------------------------------------------------------------------------- parts of what is stored (§14.2)

for name, asked, least, most in (
    ("first", "0-0", 0, 0), ("begin", "0-4", 0, 4), ("middle", "3-6", 3, 6), ("end", "7-9", 7, 9), ("open", "5-", 5, 9), ("open-last", "9-", 9, 9),
    ("all", "0-", 0, 9), ("all-closed", "0-9", 0, 9), ("beyond", "5-99", 5, 9), ("suffix", "-3", 7, 9), ("suffix-one", "-1", 9, 9),
    ("suffix-all", "-10", 0, 9), ("suffix-beyond", "-99", 0, 9), ("huge", "5-99999999999999999999999", 5, 9), ("zeros", "0003-0004", 3, 4),
    ("suffix-huge", "-99999999999999999999999", 0, 9),
):
    row("range-%s" % name, "RFC 9110 §14.1.2", MAY, "bytes=%s of ten is answered 206 from the stored response." % asked,
        whole(ETAG), cached("Range: bytes=" + asked, status=206, body=DIGITS[least:most + 1], has={
            "Content-Range": "bytes %d-%d/10" % (least, most), "Content-Length": str(most + 1 - least), "ETag": '"a"'}))
row("range-unit-case", "RFC 9110 §14.1", MAY, "The unit's case makes no difference.",
    whole(), cached("Range: Bytes=2-4", status=206, body=b"234"))
row("range-fields", "RFC 9110 §15.3.7", MUST, "A 206 has the Date, Cache-Control, ETag, Expires, Content-Location and Vary of the 200.",
    whole(ETAG, "Date: {now-10}", "Expires: {now+3600}", "Content-Location: {path}/x", "Vary: X-None", "Content-Type: text/plain"),
    cached("Range: bytes=2-4", status=206, body=b"234", has={name: SAME for name in (
        "Date", "Cache-Control", "ETag", "Expires", "Content-Location", "Vary", "Content-Type")}))
row("range-age", "RFC 9111 §4", MUST, "A 206 from the cache has Age.",
    whole("Age: 100"), cached("Range: bytes=2-4", status=206, body=b"234", has={"Age": (100, 160)}))
row("range-then-whole", "RFC 9110 §14.2", MUST, "A part served leaves the whole as it was.",
    whole(), cached("Range: bytes=2-4", status=206, body=b"234"), cached(status=200, body=DIGITS))
row("range-chunked", "RFC 9110 §14.2", MAY, "A part of what came in chunks.",
    fetched(says=answer(HOUR, body=DIGITS, framing="chunked")), cached("Range: bytes=2-4", status=206, body=b"234"))
for name, asked in (("beyond", "10-"), ("beyond-closed", "10-12"), ("far", "99999999999999999999999-"), ("suffix-zero", "-0")):
    row("range-416-%s" % name, "RFC 9110 §15.5.17", SHOULD, "bytes=%s of ten is answered 416 with the length." % asked,
        whole(), sent("GET", "Range: bytes=" + asked, status=416, asked=0, has={"Content-Range": "bytes */10"}), cached())
row("range-416-empty", "RFC 9110 §14.1.2", SHOULD, "No range of an empty representation can be satisfied.",
    first(HOUR, origin_body=b""), sent("GET", "Range: bytes=0-", status=416, asked=0, has={"Content-Range": "bytes */0"}))
for name, level, asked, sentence in (
    ("backwards", MUST, "bytes=5-2", "A range whose end lies before its begin is ignored."),
    ("unit", MUST, "lines=0-1", "An unknown unit is ignored."),
    ("word", MUST, "bytes=a-b", "What is no range is ignored."),
    ("no-dash", MUST, "bytes=5", "What has no dash is ignored."),
    ("dash", MUST, "bytes=-", "A dash alone is ignored."),
    ("empty", MUST, "bytes=", "An empty set is ignored."),
    ("no-unit", MUST, "0-4", "What has no unit is ignored."),
    ("negative", MUST, "bytes=--4", "Two dashes are ignored."),
    ("space", MUST, "bytes = 0-4", "White space around = is none of the grammar: ignored."),
    ("hexadecimal", MUST, "bytes=0x0-0x4", "Hexadecimal is ignored."),
    ("several", MAY, "bytes=0-1, 4-5", "Several ranges may be ignored."),
    ("many", SHOULD, "bytes=" + ",".join(["0-"] * 50), "Many overlapping ranges are ignored."),
    ("partly-wrong", MUST, "bytes=0-1, x", "A set with an invalid range is ignored."),
):
    row("range-ignored-%s" % name, "RFC 9110 §14.2", level, sentence,
        whole(), cached("Range: " + asked, status=200, body=DIGITS, has={"Content-Range": None}))
for name, asked, status, body, said in (
    ("none", "bytes=200-300,400-500", 416, b"", "bytes */10"), ("none-suffix", "bytes=-0, 10-", 416, b"", "bytes */10"),
    ("one", "bytes=200-300, 2-4", 206, b"234", "bytes 2-4/10"), ("one-suffix", "bytes=-3,99-", 206, b"789", "bytes 7-9/10"),
):
    row("range-of-several-%s" % name, "RFC 9110 §14.1.2", MUST, "Of several ranges, those that cannot be satisfied do not count: %s." % asked,
        whole(), (cached if status == 206 else sent_nowhere)("Range: " + asked, status=status, body=body, has={"Content-Range": said}))
row("range-lines", "RFC 9110 §5.3", MUST, "Two lines of Range are not one range: the whole.",
    whole(), cached("Range: bytes=0-1", "Range: bytes=4-5", status=200, body=DIGITS))
row("range-head", "RFC 9110 §14.2", MUST, "Range means nothing to HEAD.",
    whole(), cached("Range: bytes=2-4", method="HEAD", status=200, has={"Content-Length": "10", "Content-Range": None}))
row("range-404", "RFC 9110 §14.2", MUST, "Range applies to what would be a 200 only.",
    whole(origin_status=404), cached("Range: bytes=2-4", status=404, body=DIGITS))
row("range-none-match", "RFC 9110 §13.2.2", MUST, "If-None-Match is decided before Range: 304.",
    whole(ETAG), cached("Range: bytes=2-4", 'If-None-Match: "a"', status=304))
row("range-none-match-other", "RFC 9110 §13.2.2", MAY, "If-None-Match that does not match leaves Range: 206.",
    whole(ETAG), cached("Range: bytes=2-4", 'If-None-Match: "b"', status=206, body=b"234"))
row("range-since", "RFC 9110 §13.2.2", MUST, "If-Modified-Since is decided before Range: 304.",
    whole("Last-Modified: {now-36000}"), cached("Range: bytes=2-4", "If-Modified-Since: {now}", status=304))
row("range-vary", "RFC 9111 §4.1", MUST, "A part of another variant is no part.",
    whole("Vary: X-One", asks=("X-One: 1",)), sent("GET", "X-One: 2", "Range: bytes=2-4", says=answer(HOUR, "Vary: X-One", body=b"abcdefghij"),
                                                   asked=1), cached("X-One: 1", body=DIGITS))
row("range-stale", "RFC 9111 §4.2.4", MUST, "A part of a stale response is not served unasked.",
    whole(OLD), sent("GET", "Range: bytes=2-4", says=answer(HOUR, body=b"abcdefghij"), asked=1))
row("range-validated", "RFC 9111 §4.3", MAY, "A part of a stale response is served once it is validated.",
    whole(OLD, ETAG), validated("Range: bytes=2-4", status=206, body=b"234"))
row("range-no-cache", "RFC 9111 §5.2.2.4", MUST, "Nor a part of no-cache.",
    first("Cache-Control: no-cache, max-age=3600", ETAG, origin_body=DIGITS), sent("GET", "Range: bytes=2-4", asked=1))

# ------------------------------------------------------------------------------------------------- If-Range (§13.1.5)

SINCE = "Last-Modified: Mon, 01 Jan 2024 12:00:00 GMT"
for name, level, stored, asked, is_part, sentence in (
    ("etag", MAY, (ETAG,), '"a"', True, "A strong ETag that matches: the part."),
    ("other-etag", MUST, (ETAG,), '"b"', False, "One that does not match: the whole."),
    ("weak-stored", MUST, ('ETag: W/"a"',), 'W/"a"', False, "Weak ETags never match: the whole."),
    ("weak-asked", MUST, (ETAG,), 'W/"a"', False, "Nor a weak one a strong one."),
    ("weak-dropped", MUST, ('ETag: W/"a"',), '"a"', False, "Nor a strong one a weak one."),
    ("date", MAY, (SINCE,), "Mon, 01 Jan 2024 12:00:00 GMT", True, "The exact Last-Modified: the part."),
    ("later-date", MUST, (SINCE,), "Tue, 02 Jan 2024 12:00:00 GMT", False, "A later date is not the exact one: the whole."),
    ("earlier-date", MUST, (SINCE,), "Sun, 31 Dec 2023 12:00:00 GMT", False, "An earlier date: the whole."),
    ("no-etag", MUST, (), '"a"', False, "Without a stored ETag nothing matches: the whole."),
    ("no-date", MUST, (ETAG,), "Mon, 01 Jan 2024 12:00:00 GMT", False, "Without Last-Modified no date matches: the whole."),
    ("list", MUST, (ETAG,), '"a", "b"', False, "A list is no ETag: the whole."),
    ("word", MUST, (ETAG,), "a", False, "A word is no ETag: the whole."),
):
    row("if-range-%s" % name, "RFC 9110 §13.1.5", level, sentence, whole(*stored),
        cached("Range: bytes=2-4", "If-Range: " + asked, status=206, body=b"234") if is_part else
        cached("Range: bytes=2-4", "If-Range: " + asked, status=200, body=DIGITS))
row("if-range-without-range", "RFC 9110 §13.1.5", MUST, "If-Range without Range is ignored.",
    whole(ETAG), cached('If-Range: "b"', status=200, body=DIGITS))
row("if-range-not-satisfiable", "RFC 9110 §13.1.5", MUST, "Where If-Range does not match, an unsatisfiable Range is no 416.",
    whole(ETAG), cached("Range: bytes=99-", 'If-Range: "b"', status=200, body=DIGITS))

# ------------------------------------------------------------------------------------------------ parts of the backend


def part(*said):
    return answer(HOUR, "Content-Range: bytes 2-4/10", *said, status=206, body=b"234")


row("partial-passed-on", "RFC 9110 §15.3.7", MUST, "A 206 of the backend is passed on.",
    fetched("Range: bytes=2-4", says=part(ETAG), status=206, body=b"234", has={"Content-Range": "bytes 2-4/10"}))
row("partial-not-whole", "RFC 9111 §3.3", MUST, "A 206 does not answer a request for the whole.",
    fetched("Range: bytes=2-4", says=part(ETAG)), fetched(says=answer(HOUR, ETAG, body=DIGITS), status=200, body=DIGITS))
row("partial-not-other", "RFC 9111 §3.4", MUST, "A 206 does not answer a request for another part.",
    fetched("Range: bytes=2-4", says=part(ETAG)),
    fetched("Range: bytes=5-6", says=answer(HOUR, "Content-Range: bytes 5-6/10", ETAG, status=206, body=b"56"), status=206, body=b"56"))
row("partial-not-beyond", "RFC 9111 §3.4", MUST, "Nor for a part that goes beyond it.",
    fetched("Range: bytes=2-4", says=part(ETAG)),
    fetched("Range: bytes=2-6", says=answer(HOUR, "Content-Range: bytes 2-6/10", ETAG, status=206, body=b"23456"), status=206, body=b"23456"))
row("partial-not-head", "RFC 9111 §3.3", MUST, "A 206 does not answer HEAD.",
    fetched("Range: bytes=2-4", says=part(ETAG)), fetched(method="HEAD", says=answer(HOUR, ETAG, body=DIGITS), status=200))
row("partial-complete", "RFC 9111 §3.3", MUST, "Nor does one that happens to hold all, unless as a 200.",
    fetched("Range: bytes=0-9", says=answer(HOUR, "Content-Range: bytes 0-9/10", status=206, body=DIGITS)),
    sent("GET", says=answer(HOUR, body=DIGITS), status=200, body=DIGITS, has={"Content-Range": None}))
row("partial-unasked", "RFC 9110 §15.3.7", MUST, "A 206 to a request without Range is not stored as whole.",
    sent("GET", says=part(ETAG)), fetched(says=answer(HOUR, ETAG, body=DIGITS), status=200, body=DIGITS))
row("partial-keeps-whole", "RFC 9111 §3.4", MUST, "A 206 with another ETag is never mixed with what is stored.",
    whole(OLD, ETAG), sent("GET", "Range: bytes=2-4", says=answer(HOUR, 'ETag: "b"', "Content-Range: bytes 2-4/10", status=206, body=b"cde")),
    fetched(says=answer(HOUR, 'ETag: "b"', body=b"abcdefghij"), body=b"abcdefghij"))
row("partial-multipart", "RFC 9111 §3.3", MUST, "multipart/byteranges is not stored as whole.",
    fetched("Range: bytes=0-1,4-5", says=answer(HOUR, "Content-Type: multipart/byteranges; boundary=x", status=206, body=b"--x--")),
    fetched(says=answer(HOUR, body=DIGITS), status=200, body=DIGITS))
row("partial-416", "RFC 9111 §3", MUST, "A 416 of the backend does not answer a request for the whole.",
    fetched("Range: bytes=99-", says=answer(HOUR, "Content-Range: bytes */10", status=416)), fetched(says=answer(HOUR, body=DIGITS), status=200))
row("range-to-backend", "RFC 9110 §14.2", MUST, "A part of what is not stored is the backend's, or of the whole that it sends.",
    sent("GET", "Range: bytes=2-4", says=answer(HOUR, body=DIGITS), asked=1), sent("GET", status=200, body=DIGITS))

# ----------------------------------------------------------------------------- the whole that comes for a part (§14.2)

for name, asked, status, body, has in (
    ("begin", "bytes=0-3", 206, DIGITS[:4], "bytes 0-3/10"), ("middle", "bytes=2-4", 206, b"234", "bytes 2-4/10"),
    ("end", "bytes=-2", 206, b"89", "bytes 8-9/10"), ("open", "bytes=0-", 206, DIGITS, "bytes 0-9/10"),
    ("several", "bytes=0-1,4-5", 200, DIGITS, None), ("beyond", "bytes=99-", 416, b"", "bytes */10"),
    ("wrong", "bytes=x", 200, DIGITS, None),
):
    row("range-miss-%s" % name, "RFC 9110 §14.2", MAY, "A complete 200 to a ranged request is stored, and answers the range: %s." % asked,
        sent("GET", "Range: " + asked, says=answer(HOUR, ETAG, body=DIGITS), asked=1, status=status, body=body, has={"Content-Range": has}),
        cached("Range: bytes=5-6", status=206, body=b"56"), cached(status=200, body=DIGITS))
row("range-miss-chunked", "RFC 9110 §14.2", MAY, "Of unknown length it is answered whole, and stored.",
    sent("GET", "Range: bytes=2-4", says=answer(HOUR, body=DIGITS, framing="chunked"), status=200, body=DIGITS),
    cached("Range: bytes=2-4", status=206, body=b"234"))
row("range-miss-broken", "RFC 9111 §3.3", MUST, "One that breaks off is not stored.",
    sent("GET", "Range: bytes=0-1", says=answer(HOUR, body=DIGITS, framing="short")), fetched(says=answer(HOUR, body=DIGITS), status=200))
row("range-miss-private", "RFC 9111 §5.2.2.7", MUST, "What may not be stored is passed on as it came.",
    fetched("Range: bytes=0-", says=answer("Cache-Control: private, max-age=60", body=DIGITS), status=200, body=DIGITS, has={"Content-Range": None}),
    fetched("Range: bytes=0-", status=200, body=DIGITS))
row("range-miss-no-store", "RFC 9111 §5.2.1.5", MUST, "no-store in the request stores nothing.",
    fetched("Range: bytes=0-3", "Cache-Control: no-store", says=answer(HOUR, body=DIGITS)), fetched())
row("range-miss-cookie", "RFC 9111 §3", MUST, "Nor is what says nothing, and was asked for with a credential.",
    fetched("Range: bytes=0-3", "Cookie: a=1", says=answer(body=DIGITS)), fetched())
row("range-miss-if-range-other", "RFC 9110 §13.1.5", MUST, "If-Range that does not match what comes: the whole.",
    sent("GET", "Range: bytes=2-4", 'If-Range: "b"', says=answer(HOUR, ETAG, body=DIGITS), status=200, body=DIGITS), cached(body=DIGITS))
row("range-miss-none-match", "RFC 9110 §13.2.2", MUST, "If-None-Match is decided before Range: 304.",
    sent("GET", "Range: bytes=2-4", 'If-None-Match: "a"', says=answer(HOUR, ETAG, body=DIGITS), status=304, body=b""), cached(body=DIGITS))
row("partial-whole", "RFC 9111 §3.3", MAY, "A 206 that is all there is, is stored as whole.",
    fetched("Range: bytes=0-9", says=answer(HOUR, ETAG, "Content-Range: bytes 0-9/10", status=206, body=DIGITS), status=206, body=DIGITS,
            has={"Content-Range": "bytes 0-9/10"}),
    cached(status=200, body=DIGITS, has={"Content-Range": None}), cached("Range: bytes=2-4", status=206, body=b"234"))
row("partial-whole-open", "RFC 9111 §3.3", MAY, "Also where its end was not named.",
    fetched("Range: bytes=0-", says=answer(HOUR, "Content-Range: bytes 0-9/10", status=206, body=DIGITS), status=206), cached(status=200, body=DIGITS))
for name, said, body in (("begin", "bytes 1-9/10", DIGITS[1:]), ("end", "bytes 0-8/10", DIGITS[:9]), ("unknown", "bytes 0-9/*", DIGITS),
                         ("length", "bytes 0-9/10", DIGITS[:9]), ("unit", "lines 0-9/10", DIGITS), ("word", "bytes 0-9", DIGITS)):
    row("partial-not-whole-%s" % name, "RFC 9111 §3.3", MUST, "One that is not, or does not say so, is not: %s." % said,
        fetched("Range: bytes=0-", says=answer(HOUR, "Content-Range: " + said, status=206, body=body), status=206, body=body, has={"Content-Range": said}),
        fetched(says=answer(HOUR, body=DIGITS), status=200, body=DIGITS))
row("partial-whole-private", "RFC 9111 §5.2.2.7", MUST, "What may not be stored stays a 206.",
    fetched("Range: bytes=0-", says=answer("Cache-Control: private", "Content-Range: bytes 0-9/10", status=206, body=DIGITS), status=206,
            has={"Content-Range": "bytes 0-9/10"}), fetched(says=answer(HOUR, body=DIGITS), status=200))
row("partial-leaves-stale", "RFC 5861 §4", MAY, "A 206 does not end a stale whole that may stand in for an error.",
    first("Cache-Control: max-age=1, stale-if-error=3600", OLD[:5] + "2", origin_body=DIGITS),
    fetched("Range: bytes=2-4", says=part(), status=206), stale(says=answer(status=503), status=200, body=DIGITS))

WHOLE = "whole_for_range"
row("range-asks-whole", "RFC 9110 §14.2", MAY, "Where it is configured, the whole is asked for.",
    sent("GET", "Range: bytes=2-4", says=answer(HOUR, ETAG, body=DIGITS), status=206, body=b"234", asked=1, seen={"Range": None},
         has={"Content-Range": "bytes 2-4/10"}), cached(status=200, body=DIGITS), config=WHOLE)
row("range-asks-whole-if-range", "RFC 9110 §13.1.5", MUST, "If-Range is then decided here.",
    sent("GET", "Range: bytes=2-4", 'If-Range: "b"', says=answer(HOUR, ETAG, body=DIGITS), status=200, body=DIGITS, seen={"Range": None, "If-Range": None}),
    cached("Range: bytes=2-4", 'If-Range: "a"', status=206), config=WHOLE)
row("range-asks-part-after-all", "RFC 9110 §14.2", MUST, "What may not be stored is asked for as its client did.",
    sent("GET", "Range: bytes=2-4", 'If-Range: "a"', says=answer("Cache-Control: private", body=DIGITS), asked=2, status=200,
         seen={"Range": "bytes=2-4", "If-Range": '"a"'}),
    sent("GET", "Range: bytes=2-4", asked=1, seen={"Range": "bytes=2-4"}), config=WHOLE)
row("range-miss-if-range", "RFC 9110 §13.1.5", MUST, "If-Range on a miss reaches the backend with its Range, or neither does.",
    fetched("Range: bytes=2-4", 'If-Range: "a"', says=part(ETAG), status=206, seen={"Range": "bytes=2-4", "If-Range": '"a"'}))
