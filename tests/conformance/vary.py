"""RFC 9111 §4.1: which stored response a request selects."""
from language import MAY, MUST, SAME, answer, cached, fetched, first, refreshed, row, sent, validated

HOUR = "Cache-Control: max-age=3600"
ONE = (HOUR, "Vary: X-One")

# ------------------------------------------------------------------------------------------------- match and no match

row("vary-match", "RFC 9111 §4.1", MAY, "The same value in the named field selects the stored response.",
    first(*ONE, asks=("X-One: 1",)), cached("X-One: 1", has={"Vary": SAME}))
row("vary-no-match", "RFC 9111 §4.1", MUST, "Another value does not.", first(*ONE, asks=("X-One: 1",)), fetched("X-One: 2"))
row("vary-missing", "RFC 9111 §4.1", MUST, "A missing field does not match a value.",
    first(*ONE, asks=("X-One: 1",)), fetched())
row("vary-appearing", "RFC 9111 §4.1", MUST, "A value does not match a missing field.", first(*ONE), fetched("X-One: 1"))
row("vary-both-missing", "RFC 9111 §4.1", MUST, "Missing in both, it matches.", first(*ONE), cached())
row("vary-both-missing-others", "RFC 9111 §4.1", MUST, "Fields that are not named do not matter.",
    first(*ONE, asks=("X-Other: 1",)), cached("X-Other: 2", "X-Third: 3"))
row("vary-empty", "RFC 9111 §4.1", MUST, "An empty value does not match another one.",
    first(*ONE, asks=("X-One: 1",)), fetched("X-One:"))
row("vary-case-of-value", "RFC 9111 §4.1", MUST, "The case of a field that is not known matters.",
    first(*ONE, asks=("X-One: a",)), fetched("X-One: A"))
row("vary-prefix", "RFC 9111 §4.1", MUST, "A value that only begins alike does not match.",
    first(*ONE, asks=("X-One: 1",)), fetched("X-One: 12"))
row("vary-two-match", "RFC 9111 §4.1", MAY, "Two named fields that both match.",
    first(HOUR, "Vary: X-One, X-Two", asks=("X-One: 1", "X-Two: 2")), cached("X-One: 1", "X-Two: 2"))
row("vary-two-order", "RFC 9111 §4.1", MAY, "In whatever order the request has them.",
    first(HOUR, "Vary: X-One, X-Two", asks=("X-One: 1", "X-Two: 2")), cached("X-Two: 2", "X-One: 1"))
row("vary-two-no-match", "RFC 9111 §4.1", MUST, "All named fields must match: the second does not.",
    first(HOUR, "Vary: X-One, X-Two", asks=("X-One: 1", "X-Two: 2")), fetched("X-One: 1", "X-Two: 3"))
row("vary-two-no-match-first", "RFC 9111 §4.1", MUST, "All named fields must match: the first does not.",
    first(HOUR, "Vary: X-One, X-Two", asks=("X-One: 1", "X-Two: 2")), fetched("X-One: 3", "X-Two: 2"))
row("vary-two-swapped", "RFC 9111 §4.1", MUST, "Values are compared field by field.",
    first(HOUR, "Vary: X-One, X-Two", asks=("X-One: 1", "X-Two: 2")), fetched("X-One: 2", "X-Two: 1"))
row("vary-two-omitted", "RFC 9111 §4.1", MUST, "One of two is missing.",
    first(HOUR, "Vary: X-One, X-Two", asks=("X-One: 1", "X-Two: 2")), fetched("X-One: 1"))
row("vary-three-match", "RFC 9111 §4.1", MAY, "Three named fields that match.",
    first(HOUR, "Vary: X-One, X-Two, X-Three", asks=("X-One: 1", "X-Two: 2", "X-Three: 3")),
    cached("X-One: 1", "X-Two: 2", "X-Three: 3"))
row("vary-three-no-match", "RFC 9111 §4.1", MUST, "Three of which one does not match.",
    first(HOUR, "Vary: X-One, X-Two, X-Three", asks=("X-One: 1", "X-Two: 2", "X-Three: 3")),
    fetched("X-One: 1", "X-Two: 2", "X-Three: 4"))
row("vary-three-missing-match", "RFC 9111 §4.1", MAY, "Three, of which one is missing in both.",
    first(HOUR, "Vary: X-One, X-Two, X-Three", asks=("X-One: 1", "X-Three: 3")), cached("X-One: 1", "X-Three: 3"))
row("vary-three-missing-no-match", "RFC 9111 §4.1", MUST, "Three, of which another one is missing.",
    first(HOUR, "Vary: X-One, X-Two, X-Three", asks=("X-One: 1", "X-Three: 3")), fetched("X-One: 1", "X-Two: 3"))

# ------------------------------------------------------------------------------------------------------------ parsing

for name, said, asks, others, sentence in (
    ("case", "x-oNE", "X-One: 1", "X-One: 2", "Names in Vary are case-insensitive."),
    ("tight", "X-Zero,X-One", "X-One: 1", "X-One: 2", "No white space after a comma."),
    ("wide", "  X-Zero \t,\t X-One  ", "X-One: 1", "X-One: 2", "White space and tabs around names."),
    ("empty-elements", ",, X-One, ,", "X-One: 1", "X-One: 2", "Empty elements are ignored."),
    ("twice", "X-One, X-One", "X-One: 1", "X-One: 2", "A name that is there twice counts once."),
):
    row("vary-parse-%s" % name, "RFC 9110 §12.5.5", MUST, sentence + " No match.", first(HOUR, "Vary:" + said, asks=(asks,)), fetched(others))
    row("vary-parse-%s-match" % name, "RFC 9110 §12.5.5", MAY, sentence + " A match.", first(HOUR, "Vary:" + said, asks=(asks,)), cached(asks))
row("vary-lines", "RFC 9110 §5.3", MUST, "Several lines of Vary are one list.",
    first(HOUR, "Vary: X-Zero", "Vary: X-One", asks=("X-One: 1",)), fetched("X-One: 2"), cached("X-One: 1"))
row("vary-none", "RFC 9110 §12.5.5", MAY, "An empty Vary names nothing.", first(HOUR, "Vary:"), cached("X-One: 1"))
for name, said in (("alone", ("*",)), ("first", ("*, X-One",)), ("last", ("X-One, *",)), ("tight", ("X-One,*",)), ("lines", ("X-One", "*")),
                   ("first-line", ("*", "X-One")), ("wide", ("\t * ",)), ("empty-elements", (", *,",)), ("twice", ("*, *",))):
    row("vary-star-%s" % name, "RFC 9111 §4.1", MUST, "A Vary with * never matches: %s" % " / ".join(said),
        first(HOUR, *["Vary: " + value for value in said], asks=("X-One: 1",)), fetched("X-One: 1"))
row("vary-star-max-age-long", "RFC 9111 §4.1", MUST, "Whatever else allows it.",
    first("Cache-Control: public, s-maxage=3600, immutable", "Vary: *"), fetched())
row("vary-star-etag", "RFC 9111 §4.1", MUST, "Not without validation, where there is an ETag.",
    first(HOUR, "Vary: *", 'ETag: "a"'), fetched())
for name in ("X-Forwarded-For", "Via", "X-Request-Id"):
    row("vary-on-%s" % name.lower(), "RFC 9111 §4.1", MUST,
        "What varies by a field that the gateway writes anew for each request is not reused: %s." % name,
        first(HOUR, "Vary: " + name), fetched())

# ----------------------------------------------------------------------------------------------------------- variants

row("vary-several", "RFC 9111 §4.1", MAY, "Several variants are kept beside each other.",
    first(*ONE, asks=("X-One: 1",)), fetched("X-One: 2"), cached("X-One: 1"), cached("X-One: 2"))
row("vary-many", "RFC 9111 §4.1", MAY, "Eight of them.",
    first(*ONE, asks=("X-One: 0",)), *[fetched("X-One: %d" % number) for number in range(1, 8)],
    *[cached("X-One: %d" % number) for number in range(8)])
row("vary-many-more", "RFC 9111 §4.1", MUST, "However many there are, none answers for another.",
    first(*ONE, asks=("X-One: 0",)), *[fetched("X-One: %d" % number) for number in range(1, 24)])
row("vary-with-absent", "RFC 9111 §4.1", MAY, "A variant for those without the field, beside one for those with it.",
    first(*ONE), fetched("X-One: 1"), cached(), cached("X-One: 1"))
row("vary-stale-variant", "RFC 9111 §4.2.4", MUST, "One variant's freshness is not another's.",
    first(HOUR, "Vary: X-One", "Age: 7200", asks=("X-One: 1",)), fetched("X-One: 2", says=answer(*ONE)), cached("X-One: 2"), fetched("X-One: 1"))
row("vary-validated-variant", "RFC 9111 §4.3.1", MAY, "A stale variant is validated by its own ETag.",
    first(HOUR, "Vary: X-One", "Age: 7200", 'ETag: "1"', asks=("X-One: 1",)),
    fetched("X-One: 2", says=answer(HOUR, "Vary: X-One", "Age: 7200", 'ETag: "2"')),
    validated("X-One: 1", says=('ETag: "1"', HOUR)), cached("X-One: 1", has={"ETag": '"1"'}))
row("vary-changes", "RFC 9111 §4.1", MUST, "When a later response varies by more, it is not reused without it.",
    first(*ONE, asks=("X-One: 1",)), fetched("X-One: 2", "X-Two: 1", says=answer(HOUR, "Vary: X-One, X-Two")),
    fetched("X-One: 2", "X-Two: 2"))
row("vary-begins", "RFC 9111 §4.1", MUST, "When a later response begins to vary, it is not reused for others.",
    first("Cache-Control: max-age=0"), fetched("X-One: 1", says=answer(*ONE)), fetched("X-One: 2"), cached("X-One: 1"))
row("vary-updated-by-304", "RFC 9111 §4.3.4", MUST, "A 304 may begin to vary.",
    first(HOUR, "Age: 7200", 'ETag: "a"', asks=("X-One: 1",)), validated("X-One: 1", says=ONE), fetched("X-One: 2", says=answer(*ONE)))
row("vary-head", "RFC 9111 §4.1", MUST, "HEAD selects as GET does: no match.",
    first(*ONE, asks=("X-One: 1",)), fetched("X-One: 2", method="HEAD"))
row("vary-head-match", "RFC 9111 §4.1", MAY, "HEAD selects as GET does: a match.",
    first(*ONE, asks=("X-One: 1",)), cached("X-One: 1", method="HEAD"))
row("vary-conditional", "RFC 9111 §4.1", MUST, "A client's ETag of one variant does not match another's.",
    first(*ONE, 'ETag: "1"', asks=("X-One: 1",)), fetched("X-One: 2", says=answer(*ONE, 'ETag: "2"')),
    cached("X-One: 1", 'If-None-Match: "2"', status=200), cached("X-One: 2", 'If-None-Match: "2"', status=304))
row("vary-404", "RFC 9111 §4.1", MUST, "Other statuses vary, too.",
    first(*ONE, asks=("X-One: 1",), origin_status=404), fetched("X-One: 2"), cached("X-One: 1", status=404))
row("vary-cookie", "RFC 9111 §4.1", MUST, "Vary: Cookie keeps users apart.",
    first(HOUR, "Vary: Cookie", asks=("Cookie: id=mine",)), fetched("Cookie: id=yours"), fetched())
row("vary-cookie-match", "RFC 9111 §4.1", MAY, "Vary: Cookie: the same user.",
    first(HOUR, "Vary: Cookie", asks=("Cookie: id=mine",)), cached("Cookie: id=mine"))
row("vary-authorization", "RFC 9111 §4.1", MUST, "Vary: Authorization keeps users apart, also where public allows reuse.",
    first("Cache-Control: public, max-age=3600", "Vary: Authorization", asks=("Authorization: Basic eDp5",)),
    fetched("Authorization: Basic eTp4"), fetched())
row("vary-user-agent", "RFC 9111 §4.1", MUST, "Vary: User-Agent keeps them apart.",
    first(HOUR, "Vary: User-Agent", asks=("User-Agent: a/1",)), fetched("User-Agent: b/1"), cached("User-Agent: a/1"))
row("vary-origin", "RFC 9111 §4.1", MUST, "Vary: Origin keeps them apart.",
    first(HOUR, "Vary: Origin", asks=("Origin: https://a.test",)), fetched("Origin: https://b.test"), fetched())
row("vary-ages", "RFC 9111 §4.2.3", MUST, "Each variant has an age of its own.",
    first(HOUR, "Vary: X-One", "Age: 1000", asks=("X-One: 1",)), fetched("X-One: 2", says=answer(HOUR, "Vary: X-One", "Age: 10")),
    cached("X-One: 1", has={"Age": (1000, 1060)}), cached("X-One: 2", has={"Age": (10, 70)}), cached("X-One: 1", has={"Age": (1000, 1060)}))
row("vary-ages-stale", "RFC 9111 §4.2.4", MUST, "One variant is stale while another is fresh.",
    first(HOUR, "Vary: X-One", asks=("X-One: 1",)), fetched("X-One: 2", says=answer(HOUR, "Vary: X-One", "Age: 7200", 'ETag: "a"')),
    cached("X-One: 1"), validated("X-One: 2", says=HOUR), cached("X-One: 1"))
row("vary-ages-expires", "RFC 9111 §4.2", MUST, "A variant outlives its own lifetime, not another's.",
    first("Cache-Control: max-age=1", "Vary: X-One", asks=("X-One: 1",)), fetched("X-One: 2", says=answer(HOUR, "Vary: X-One")),
    fetched("X-One: 1", says=answer(HOUR, "Vary: X-One"), pause=3), cached("X-One: 2", has={"Age": (2, 60)}))
row("vary-host", "RFC 9111 §4.1", MAY, "Vary: Host adds nothing.", first(HOUR, "Vary: Host"), cached())
row("vary-range", "RFC 9111 §4.1", MUST, "Vary: Range with a Range never answers for the whole.",
    fetched("Range: bytes=0-3", says=answer(HOUR, "Vary: Range", "Content-Range: bytes 0-3/8", status=206, body=b"answ")),
    fetched(says=answer(HOUR, "Vary: Range")))
row("vary-accept", "RFC 9111 §4.1", MUST, "Vary: Accept keeps types apart.",
    first(HOUR, "Vary: Accept", asks=("Accept: text/html",)), fetched("Accept: application/json"), cached("Accept: text/html"))

# ------------------------------------------------------------------------------------------------------ normalisation

LANGUAGE, ENCODING = "Vary: Accept-Language", "Vary: Accept-Encoding"
for name, asked, again, sentence in (
    ("encoding-order", "Accept-Encoding: gzip, br", "Accept-Encoding: br, gzip", "The order of codings means nothing."),
    ("encoding-space", "Accept-Encoding: gzip, br", "Accept-Encoding: gzip,br", "Nor white space between them."),
    ("encoding-case", "Accept-Encoding: gzip", "Accept-Encoding: GZIP", "Nor their case."),
    ("encoding-lines", "Accept-Encoding: gzip, br", "Accept-Encoding: br\nAccept-Encoding: gzip", "Lines are one list."),
    ("encoding-x-gzip", "Accept-Encoding: gzip", "Accept-Encoding: x-gzip", "x-gzip is gzip (RFC 9110 §8.4.1.3)."),
    ("encoding-unknown", "Accept-Encoding: gzip", "Accept-Encoding: gzip, x0", "An unknown coding makes no variant."),
    ("encoding-unknown-alone", "Accept-Encoding: identity", "Accept-Encoding: x1", "Nor does one alone."),
    ("encoding-star", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Encoding: *", "* is all of them."),
    ("encoding-weights", "Accept-Encoding: gzip;q=0.5, br", "Accept-Encoding: gzip;q=0.1, br;q=0.2", "Weights count by their order."),
    ("encoding-all-refused", "Accept-Encoding: identity", "Accept-Encoding: gzip;q=0, br;q=0", "A client that refuses all codings wants none."),
    ("encoding-empty", "Accept-Encoding: identity", "Accept-Encoding:", "An empty field wants none."),
):
    row("vary-normal-%s" % name, "RFC 9111 §4.1", MAY, sentence, first(HOUR, ENCODING, asks=asked.split("\n")), cached(*again.split("\n")))
row("vary-normal-lines", "RFC 9110 §5.3", MAY, "Lines of a list are one list.",
    first(HOUR, "Vary: X-One", asks=("X-One: 1, 2",)), cached("X-One: 1", "X-One: 2"))
row("vary-encoding-does-not-crowd", "RFC 9111 §4.1", MAY, "However many unknown codings are asked for, a browser's variant stays.",
    first(HOUR, ENCODING, asks=("Accept-Encoding: gzip, deflate, br, zstd",)), fetched("Accept-Encoding: gzip, x0"),
    *[cached("Accept-Encoding: gzip, x%d" % number) for number in range(1, 20)], cached("Accept-Encoding: gzip, deflate, br, zstd"))
for name, asked, seen in (
    ("browser", "gzip, deflate, br, zstd", "gzip, deflate, br, zstd"), ("curl", "deflate, gzip, br, zstd", "gzip, deflate, br, zstd"),
    ("refused", "gzip;q=0, identity", "identity"), ("weights", "gzip;q=0.5, br;q=0.7, identity;q=0", "br, gzip;q=0.9"),
    ("unknown", "x0, gzip", "gzip"), ("star-but", "*, gzip;q=0", "deflate, br, zstd"), ("nothing", "*;q=0", "identity"), ("empty", "", "identity"),
):
    row("encoding-sent-%s" % name, "RFC 9111 §4.1", MUST, "The backend is asked by what the key is made of: %s." % (asked or "empty"),
        fetched("Accept-Encoding: " + asked, says=answer(HOUR, ENCODING), seen={"Accept-Encoding": seen}))
row("encoding-sent-post", "RFC 9111 §4.1", MUST, "Whatever the method.",
    sent("POST", "Accept-Encoding: br, gzip;q=0", sends=b"x", says=answer(), seen={"Accept-Encoding": "br"}))
row("encoding-sent-no-store", "RFC 9111 §4.1", MUST, "And past the cache.",
    fetched("Accept-Encoding: br, gzip;q=0", "Cache-Control: no-store", says=answer(), seen={"Accept-Encoding": "br"}))
row("encoding-sent-validated", "RFC 9111 §4.3.1", MUST, "And in a validation.",
    first(HOUR, ENCODING, "Age: 7200", 'ETag: "a"', asks=("Accept-Encoding: gzip, br",)),
    validated("Accept-Encoding: br;q=0.5, gzip;q=0.5", seen={"Accept-Encoding": "gzip, br"}))
row("encoding-sent-refresh", "RFC 5861 §3", MUST, "And in the background.",
    first("Cache-Control: max-age=1, stale-while-revalidate=600", ENCODING, "Age: 2", asks=("Accept-Encoding: gzip, br",)),
    refreshed("Accept-Encoding: br,gzip, x0", says=answer(HOUR, ENCODING)), cached("Accept-Encoding: br, gzip"))
row("encoding-absent-stays-absent", "RFC 9110 §12.5.3", MUST, "Where the client says nothing about codings, the backend is told nothing.",
    fetched(says=answer(HOUR, ENCODING), seen={"Accept-Encoding": None}), fetched("Accept-Encoding: identity"))
for name, varies, asked, again, sentence in (
    ("language-order", LANGUAGE, "Accept-Language: de, en", "Accept-Language: en, de", "The order of languages matters."),
    ("language-weight", LANGUAGE, "Accept-Language: de;q=0.5, en", "Accept-Language: de, en;q=0.5", "Their weights matter."),
    ("language-region", LANGUAGE, "Accept-Language: de-AT", "Accept-Language: de", "Their regions matter."),
    ("language-case", LANGUAGE, "Accept-Language: de-AT", "Accept-Language: DE-at", "So does their case: the backend sees it."),
    ("language-space", LANGUAGE, "Accept-Language: de, en", "Accept-Language: de,en", "And the white space between them."),
    ("space", "Vary: X-One", "X-One: 1, 2", "X-One: 1,2", "And in any other field."),
    ("encoding-refused", ENCODING, "Accept-Encoding: gzip", "Accept-Encoding: gzip;q=0", "A weight of 0 refuses a coding."),
    ("encoding-preferred", ENCODING, "Accept-Encoding: gzip, br", "Accept-Encoding: gzip;q=0.5, br", "Which coding is preferred matters."),
    ("encoding-other", ENCODING, "Accept-Encoding: gzip", "Accept-Encoding: br", "Another coding is another."),
    ("encoding-none", ENCODING, "Accept-Encoding: gzip", "X-Other: 1", "None is another than gzip."),
    ("encoding-identity", ENCODING, "Accept-Encoding: gzip", "Accept-Encoding: identity", "identity is another than gzip."),
):
    row("vary-differs-%s" % name, "RFC 9111 §4.1", MUST, sentence, first(HOUR, varies, asks=(asked,)), fetched(again))

# -------------------------------------------------------------------------------------------- codings that Vary forgets

for name, fields in (("stated", (HOUR,)), ("guessed", ())):
    row("vary-coding-%s" % name, "RFC 9110 §12.5.3", MUST, "A coded response is only for requests that accept its coding, also if Vary does not say so.",
        first("Content-Encoding: gzip", *fields, asks=("Accept-Encoding: gzip",)), fetched("Accept-Encoding: identity"))
    row("vary-coding-%s-match" % name, "RFC 9110 §12.5.3", MAY, "For requests that accept the coding it is reused.",
        first("Content-Encoding: gzip", *fields, asks=("Accept-Encoding: gzip",)), cached("Accept-Encoding: gzip"))
row("vary-coding-missing", "RFC 9110 §12.5.3", MUST, "A request without Accept-Encoding is another one.",
    first("Content-Encoding: gzip", HOUR, asks=("Accept-Encoding: gzip",)), fetched())
row("vary-coding-beside", "RFC 9110 §12.5.5", MUST, "Beside what Vary does name.",
    first("Content-Encoding: gzip", HOUR, "Vary: X-One", asks=("Accept-Encoding: gzip", "X-One: 1")), fetched("X-One: 1"), fetched("Accept-Encoding: gzip", "X-One: 2"))
