"""No ambiguous message passes, in either direction, and a body that broke off never gets an end."""
from stage import TRANSPORT, Scene, Stage, Truncated, main, reply, wait_until

HOST = b"Host: gateway.test\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: gateway.test\r\n\r\n"


def get(*lines, target=b"/refused", version=b"HTTP/1.1", host=HOST):
    return b"GET " + target + b" " + version + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(body, *lines, version=b"HTTP/1.1"):
    return b"POST /refused " + version + b"\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
LAST = b"0\r\n\r\n"
# Refused before any part can be forwarded: name, bytes, statuses that are right
REFUSED = [
    # RFC 9112 §6.1, §6.3: the length of the body
    ("Content-Length and Transfer-Encoding", post(LAST, b"Content-Length: 5", CHUNKED), {400}),
    ("Transfer-Encoding and Content-Length", post(LAST, CHUNKED, b"Content-Length: 5"), {400}),
    ("differing Content-Lengths", post(b"hello!", b"Content-Length: 5", b"Content-Length: 6"), {400}),
    ("differing lengths in one field", post(b"hello!", b"Content-Length: 5, 6"), {400}),
    ("Content-Length with a sign", post(b"hello", b"Content-Length: +5"), {400}),
    ("negative Content-Length", post(b"hello", b"Content-Length: -5"), {400}),
    ("hexadecimal Content-Length", post(b"hello", b"Content-Length: 0x5"), {400}),
    ("Content-Length with a space inside", post(b"hello", b"Content-Length: 5 5"), {400}),
    ("Content-Length with a fraction", post(b"hello", b"Content-Length: 5.0"), {400}),
    ("empty Content-Length", post(b"hello", b"Content-Length:"), {400}),
    ("Content-Length beyond 64 bits", post(b"hello", b"Content-Length: 18446744073709551621"), {400, 413}),
    ("Content-Length of a hundred digits", post(b"hello", b"Content-Length: " + b"9" * 100), {400, 413}),
    ("Content-Length in other digits", post(b"hello", b"Content-Length: \xd9\xa5"), {400}),
    ("unknown coding", post(b"hello", b"Transfer-Encoding: gzip"), {400, 501}),
    ("unknown coding before chunked", post(LAST, b"Transfer-Encoding: gzip, chunked"), {400, 501}),
    ("chunked is not the last", post(LAST, b"Transfer-Encoding: chunked, gzip"), {400, 501}),
    ("chunked twice", post(LAST, b"Transfer-Encoding: chunked, chunked"), {400, 501}),
    ("chunked in two fields", post(LAST, CHUNKED, CHUNKED), {400, 501}),
    ("identity", post(b"hello", b"Transfer-Encoding: identity"), {400, 501}),
    ("identity after chunked", post(LAST, CHUNKED, b"Transfer-Encoding: identity"), {400, 501}),
    ("nearly chunked", post(LAST, b"Transfer-Encoding: xchunked"), {400, 501}),
    ("chunked with a parameter", post(LAST, b"Transfer-Encoding: chunked;a=b"), {400, 501}),
    ("chunked in quotes", post(LAST, b'Transfer-Encoding: "chunked"'), {400, 501}),
    ("chunked and an empty element", post(LAST, b"Transfer-Encoding: chunked,"), {400, 501}),
    ("empty Transfer-Encoding", post(b"hello", b"Transfer-Encoding:", b"Content-Length: 5"), {400, 501}),
    ("vertical tab before chunked", post(LAST, b"Transfer-Encoding: \x0bchunked"), {400, 501}),
    ("Transfer-Encoding in 1.0", post(LAST, CHUNKED, version=b"HTTP/1.0"), {400}),
    ("space before the colon", post(LAST, b"Transfer-Encoding : chunked"), {400}),
    ("tab before the colon", post(b"hello", b"Content-Length\t: 5"), {400}),
    # RFC 9112 §2.2, §5: lines and fields
    ("obs-fold", get(b"X-A: 1\r\n folded"), {400}),
    ("obs-fold of Transfer-Encoding", post(LAST, b"Transfer-Encoding:\r\n chunked"), {400}),
    ("space before the first field", b"GET /refused HTTP/1.1\r\n X-A: 1\r\n" + HOST + b"\r\n", {400}),
    ("bare LF after the request line", b"GET /refused HTTP/1.1\n" + HOST + b"\r\n", {400}),
    ("bare LF after a field", get(b"X-A: 1\nX-B: 2"), {400}),
    ("bare LF as the empty line", b"GET /refused HTTP/1.1\r\n" + HOST + b"\n", {400}),
    ("bare CR in a value", get(b"X-A: 1\r2"), {400}),
    ("bare CR as the line's end", get(b"X-A: 1\rX-B: 2"), {400}),
    ("CR CR LF", get(b"X-A: 1\r"), {400}),
    ("NUL in a value", get(b"X-A: 1\x002"), {400}),
    ("NUL in a name", get(b"X\x00A: 1"), {400}),
    ("control in a value", get(b"X-A: 1\x012"), {400}),
    ("DEL in a value", get(b"X-A: 1\x7f2"), {400}),
    ("no colon", get(b"X-A"), {400}),
    ("no name", get(b": 1"), {400}),
    ("parenthesis in a name", get(b"X(A: 1"), {400}),
    ("space in a name", get(b"X A: 1"), {400}),
    ("eight-bit character in a name", get(b"X\xe9: 1"), {400}),
    # RFC 9112 §3.2, RFC 9110 §7.2: Host
    ("no Host", get(host=b""), {400}),
    ("two Hosts", get(b"Host: gateway.test"), {400}),
    ("two different Hosts", get(b"Host: other.test"), {400}),
    ("Host with a space", get(host=b"Host: gateway test\r\n"), {400}),
    ("Host with userinfo", get(host=b"Host: a@gateway.test\r\n"), {400}),
    ("Host with a path", get(host=b"Host: gateway.test/a\r\n"), {400}),
    ("Host with a port that is none", get(host=b"Host: gateway.test:a\r\n"), {400}),
    ("Host with a port too high", get(host=b"Host: gateway.test:65536\r\n"), {400}),
    ("Host with an open bracket", get(host=b"Host: [::1\r\n"), {400}),
    ("Host with two names", get(host=b"Host: a.test, b.test\r\n"), {400}),
    ("absolute-form that disagrees with Host", get(target=b"http://other.test/refused"), {400}),
    ("absolute-form with userinfo", get(target=b"http://a@gateway.test/refused"), {400}),
    # RFC 9112 §3: the request line
    ("fragment", get(target=b"/refused#a"), {400}),
    ("space in the target", get(target=b"/refused a"), {400}),
    ("two spaces", get(target=b" /refused"), {400}),
    ("tab for a space", b"GET\t/refused HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    ("control in the target", get(target=b"/refused\x01"), {400}),
    ("eight-bit character in the target", get(target=b"/refused\xe9"), {400}),
    ("incomplete percent-encoding", get(target=b"/refused%4"), {400}),
    ("wrong percent-encoding", get(target=b"/refused%zz"), {400}),
    ("quote in the target", get(target=b'/refused"'), {400}),
    ("backslash in the target", get(target=b"/refused\\"), {400}),
    ("no slash", get(target=b"refused"), {400}),
    ("empty target", b"GET  HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    ("asterisk with GET", get(target=b"*"), {400}),
    ("authority-form with GET", get(target=b"gateway.test:80"), {400}),
    ("CONNECT", b"CONNECT gateway.test:80 HTTP/1.1\r\n" + HOST + b"\r\n", {400, 405, 501}),
    ("method that is no token", b"G(T /refused HTTP/1.1\r\n" + HOST + b"\r\n", {400, 501}),
    ("lower-case version", get(version=b"http/1.1"), {400, 505}),
    ("version 2.0", get(version=b"HTTP/2.0"), {400, 505}),
    ("version 3.7", get(version=b"HTTP/3.7"), {400, 505}),
    ("version 0.9", get(version=b"HTTP/0.9"), {400, 505}),
    ("version 1.10", get(version=b"HTTP/1.10"), {400, 505}),
    ("version 1.", get(version=b"HTTP/1."), {400, 505}),
    ("space after the version", get(version=b"HTTP/1.1 "), {400}),
    ("no version", b"GET /refused\r\n\r\n", {400, 505}),
    ("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 501, 505}),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100, {400, 501}),
]
# Refused after a good head: the backend may have seen the beginning, but never an end
BROKEN_CHUNKS = [
    ("not a number", b"zz\r\n"),
    ("empty size", b"\r\n"),
    ("signed size", b"+3\r\nabc\r\n" + LAST),
    ("negative size", b"-3\r\nabc\r\n" + LAST),
    ("0x", b"0x3\r\nabc\r\n" + LAST),
    ("space before the size", b" 3\r\nabc\r\n" + LAST),
    ("seventeen digits", b"00000000000000003\r\nabc\r\n" + LAST),
    ("beyond 64 bits", b"fffffffffffffffff\r\nabc"),
    ("data longer than the size", b"3\r\nabcd\r\n" + LAST),
    ("data shorter than the size", b"4\r\nabc\r\n" + LAST),
    ("LF after the size", b"3\nabc\r\n" + LAST),
    ("CR after the size", b"3\rabc\r\n" + LAST),
    ("LF after the data", b"3\r\nabc\n" + LAST),
    ("CR in an extension", b"3;a\rb\r\nabc\r\n" + LAST),
    ("LF in an extension", b"3;a\nb\r\nabc\r\n" + LAST),
    ("NUL in an extension", b"3;a\0b\r\nabc\r\n" + LAST),
    ("LF after the last chunk", b"3\r\nabc\r\n0\n\n"),
    ("bare LF as the last line", b"3\r\nabc\r\n0\r\n\n"),
    ("folded trailer", b"3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n"),
    ("trailer without a colon", b"3\r\nabc\r\n0\r\nA\r\n\r\n"),
    ("trailer that speaks of framing", b"3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n"),
    ("trailer with NUL", b"3\r\nabc\r\n0\r\nA: \0\r\n\r\n"),
    ("blank behind the size", b"3 \r\nabc\r\n" + LAST),
    ("tab behind the size", b"3\t\r\nabc\r\n" + LAST),
    ("blank within the size", b"1 0\r\nabc\r\n" + LAST),
    ("blank behind an extension", b"3;a \r\nabc\r\n" + LAST),
    ("blank and no extension", b"3; \r\nabc\r\n" + LAST),
]
BAD_ANSWERS = [
    ("no HTTP", b"hello\r\n\r\n"),
    ("no status", b"HTTP/1.1\r\n\r\n"),
    ("status of two digits", b"HTTP/1.1 20 X\r\nContent-Length: 0\r\n\r\n"),
    ("status of four digits", b"HTTP/1.1 2000 X\r\nContent-Length: 0\r\n\r\n"),
    ("status below 100", b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n"),
    ("version 2.0", b"HTTP/2.0 200 X\r\nContent-Length: 0\r\n\r\n"),
    ("Content-Length and Transfer-Encoding", b"HTTP/1.1 200 X\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    ("differing Content-Lengths", b"HTTP/1.1 200 X\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    ("differing Content-Lengths in one field", b"HTTP/1.1 200 X\r\nContent-Length: 3, 4\r\n\r\nabcd"),
    ("differing Content-Lengths of a 204", b"HTTP/1.1 204 X\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"),
    ("Content-Length and Transfer-Encoding of a 204", b"HTTP/1.1 204 X\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("an empty element in Content-Length", b"HTTP/1.1 200 X\r\nContent-Length: 3,\r\n\r\nabc"),
    ("empty Content-Length", b"HTTP/1.1 200 X\r\nContent-Length:\r\n\r\nabc"),
    ("Content-Length with a sign", b"HTTP/1.1 200 X\r\nContent-Length: +3\r\n\r\nabc"),
    ("unknown coding", b"HTTP/1.1 200 X\r\nTransfer-Encoding: gzip\r\n\r\nabc"),
    ("chunked is not the last", b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc"),
    ("chunked twice", b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("bare LF", b"HTTP/1.1 200 X\nContent-Length: 3\n\nabc"),
    ("bare CR in a value", b"HTTP/1.1 200 X\r\nX-A: a\rb\r\nContent-Length: 3\r\n\r\nabc"),
    ("obs-fold", b"HTTP/1.1 200 X\r\nX-A: a\r\n b\r\nContent-Length: 3\r\n\r\nabc"),
    ("NUL in a value", b"HTTP/1.1 200 X\r\nX-A: a\0b\r\nContent-Length: 3\r\n\r\nabc"),
    ("folded first field", b"HTTP/1.1 200 X\r\n X-A: a\r\nContent-Length: 3\r\n\r\nabc"),
    ("space before the colon", b"HTTP/1.1 200 X\r\nContent-Length : 3\r\n\r\nabc"),
    ("no colon", b"HTTP/1.1 200 X\r\nX-A\r\nContent-Length: 3\r\n\r\nabc"),
    ("no name", b"HTTP/1.1 200 X\r\n: a\r\nContent-Length: 3\r\n\r\nabc"),
    ("header of a megabyte", b"HTTP/1.1 200 X\r\nX-A: " + b"a" * 1000000 + b"\r\nContent-Length: 3\r\n\r\nabc"),
    ("a thousand fields", b"HTTP/1.1 200 X\r\n" + b"X-A: a\r\n" * 5000 + b"Content-Length: 3\r\n\r\nabc"),
    ("protocols switched unasked", b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc"),
    ("nothing", b""),
    ("half a status line", b"HTTP/1.1 20"),
    ("half a head", b"HTTP/1.1 200 X\r\nContent-Le"),
]
# Careless answers whose end is clear (nginx and haproxy agree): name, bytes, status, body
FORGIVEN = [
    ("204 with chunked", b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n", 204, b""),
    ("204 with chunked and a last chunk", b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204, b""),
    ("204 with a length", b"HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n", 204, b""),
    ("204 with a length and a body", b"HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\nhello", 204, b""),
    ("Content-Length twice", b"HTTP/1.1 200 X\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
    ("Content-Length twice in one field", b"HTTP/1.1 200 X\r\nContent-Length: 3, 3\r\n\r\nabc", 200, b"abc"),
    ("status 600", b"HTTP/1.1 600 X\r\nContent-Length: 3\r\n\r\nabc", 600, b"abc"),
    ("status 999", b"HTTP/1.1 999 X\r\nContent-Length: 3\r\n\r\nabc", 999, b"abc"),
    ("chunked in 1.0", b"HTTP/1.0 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, b"abc"),
    ("1xx with a length", b"HTTP/1.1 100 C\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
    ("1xx with chunked", b"HTTP/1.1 103 C\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
]
# libcurl reads chunks itself: it forgives the same faults but does not report them, so there the connection may be kept
FORGIVEN_CHUNKS = [
    (name, b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n" + body, 200, b"abc") for name, body in (
        ("a blank behind a chunk's size", b"3 \r\nabc\r\n0\r\n\r\n"),
        ("blanks behind each chunk's size", b"3  \t\r\nabc\r\n0 \r\n\r\n"),
        ("a semicolon alone", b"3;\r\nabc\r\n0\r\n\r\n"),
        ("a blank behind an extension", b"3;a=b \r\nabc\r\n0\r\n\r\n"),
    )]
# Answers without a fault
WELL = [
    ("tab behind Content-Length", b"HTTP/1.1 200 X\r\nContent-Length: 3\t\r\n\r\nabc", 200, b"abc"),
    ("tab behind chunked", b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\t\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, b"abc"),
    ("blank before an extension", b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3; a\r\nabc\r\n0 ;b\r\n\r\n", 200, b"abc"),
    ("300 fields", b"HTTP/1.1 200 X\r\n" + b"X-A: a\r\n" * 300 + b"Content-Length: 3\r\n\r\nabc", 200, b"abc"),
    ("304 with a length", b"HTTP/1.1 304 X\r\nContent-Length: 3\r\n\r\n", 304, b""),
    ("no reason phrase", b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
]
TRUNCATED = [
    ("length", reply(fields=[("Content-Length", "100")]) + b"x" * 50),
    ("length, not a byte", reply(fields=[("Content-Length", "100")])),
    ("length, the last byte", reply(fields=[("Content-Length", "100")]) + b"x" * 99),
    ("chunked, no last chunk", reply(chunked=True)[:-5] + b"3\r\nabc\r\n"),
    ("chunked, within a chunk", reply(chunked=True)[:-5] + b"30\r\nabc"),
    ("chunked, within a size", reply(chunked=True)[:-5] + b"3\r\nabc\r\n1"),
    ("chunked, within the last line", reply(chunked=True)[:-5] + b"3\r\nabc\r\n0\r\n"),
    ("chunked, not a byte", reply(chunked=True)[:-5]),
    ("chunked, a bad size", reply(chunked=True)[:-5] + b"3\r\nabc\r\nzz\r\nabc\r\n0\r\n\r\n"),
    ("chunked, a chunk too long", reply(chunked=True)[:-5] + b"3\r\nabcd\r\n0\r\n\r\n"),
    ("chunked, a bare LF", reply(chunked=True)[:-5] + b"3\r\nabc\r\n0\n\n"),
]


class Requests(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"server": {"max_request_line_bytes": 1000, "max_header_bytes": 4000, "max_headers": 30, "max_body_bytes": 1000,
                                                            "header_timeout": "300ms", "body_timeout": "300ms"}})

    def refused(self, data, statuses):
        """Refused, the connection closed, and neither the request nor the bytes after it reach the backend."""
        before = len(self.origin.seen())
        with self.gateway.client() as client:
            client.send(data + NEXT)
            response = client.read("GET")
            self.assertIn(response.status, statuses, response)
            self.assert_error(response, response.status)
            self.assertIn("close", (response.field("Connection") or "").lower())
            client.assert_closed()
        complete = [request for request in self.origin.seen()[before:] if not getattr(request, "truncated", False)]
        self.assertEqual(complete, [])
        self.assertEqual(self.origin.count("/smuggled"), 0)

    def test_that_are_ambiguous_are_refused(self):
        for name, data, statuses in REFUSED:
            with self.subTest(name):
                self.refused(data, statuses)
                self.assertFalse(any(b"/refused" in raw for raw in self.origin.raw()))

    def test_that_are_ambiguous_are_refused_byte_by_byte(self):
        for name, data, statuses in REFUSED[::3]:
            with self.subTest(name), self.gateway.client() as client:
                try:
                    for byte in data + NEXT:
                        client.send(bytes([byte]))
                except OSError:
                    pass  # the gateway answered and closed before the end
                try:
                    self.assertIn(client.read("GET").status, statuses)
                except Truncated as cut:
                    self.assertEqual(cut.cause, "reset")  # the close may come before the answer is read
        self.assertFalse(any(b"/refused" in raw or b"/smuggled" in raw for raw in self.origin.raw()))

    def test_with_broken_chunks_are_never_ended(self):
        for name, body in BROKEN_CHUNKS:
            with self.subTest(name):
                self.refused(post(body, CHUNKED), {400, 413})

    def test_with_equal_content_lengths_are_refused_or_made_one(self):  # RFC 9112 §6.3
        for data in (post(b"hello", b"Content-Length: 5", b"Content-Length: 5"), post(b"hello", b"Content-Length: 5, 5")):
            with self.subTest(data), self.gateway.client() as client:
                client.send(data)
                if client.read("POST").status == 200:
                    self.assertEqual(self.origin.last("/refused").all("Content-Length"), ["5"])

    def test_after_empty_lines_are_read(self):  # RFC 9112 §2.2
        with self.gateway.client() as client:
            client.send(b"\r\n" + NEXT.replace(b"smuggled", b"after"))
            self.assertEqual(client.read().status, 200)

    def test_with_white_space_around_values_and_chunk_extensions_are_read(self):
        with self.gateway.client() as client:
            client.send(b"POST /well HTTP/1.1\r\nHost:gateway.test\r\ntransfer-ENCODING:Chunked\r\nX-Spaces: \t a \t\r\nX-Empty:\r\n\r\n00003;a=b;c=\"d\"\r\nabc\r\n000;e\r\n\r\n")
            self.assertEqual(client.read("POST").status, 200)
        seen = self.origin.last("/well")
        self.assertEqual((seen.body, seen.field("X-Spaces"), seen.field("X-Empty")), (b"abc", "a", ""))

    def test_with_white_space_where_the_rfcs_let_it_be_are_read(self):  # RFC 9110 §5.5, RFC 9112 §7.1.1
        for name, data, body in (
            ("tab behind Content-Length", post(b"hello", b"Content-Length: 5\t"), b"hello"),
            ("white space around Content-Length", post(b"hello", b"Content-Length:\t 5 \t "), b"hello"),
            ("tab behind chunked", post(b"5\r\nhello\r\n" + LAST, b"Transfer-Encoding: chunked\t"), b"hello"),
            ("white space around chunked", post(b"5\r\nhello\r\n" + LAST, b"Transfer-Encoding: \t chunked\t "), b"hello"),
            ("blank before an extension", post(b"5; a\r\nhello\r\n" + LAST, CHUNKED), b"hello"),
            ("white space within extensions", post(b'5 ;\ta = b\t; c\t=\t"d e" ;f\r\nhello\r\n0 ; g\r\n\r\n', CHUNKED), b"hello"),
        ):
            data = data.replace(b"/refused", b"/spaced")
            for pieces in ([data], [bytes([byte]) for byte in data]):
                with self.subTest(name, pieces=len(pieces)), self.gateway.client() as client:
                    for piece in pieces:
                        client.send(piece)
                    self.assertEqual(client.read("POST").body, b"origin")
                    self.assertEqual(self.origin.last("/spaced").body, body)
                    self.assertEqual(client.get("/").status, 200)

    def test_that_are_too_large_are_refused(self):
        for name, data, status in (
            ("request line", get(target=b"/refused" + b"a" * 1000), 414),
            ("request line without end", b"GET /refused" + b"a" * 1100, 414),
            ("header", get(b"X-A: " + b"a" * 4000), 431),
            ("number of fields", get(*[b"X-A: a"] * 40), 431),
            ("body by length", post(b"x" * 1001, b"Content-Length: 1001"), 413),
            ("body by length, not sent", post(b"", b"Content-Length: 1001", b"Expect: 100-continue"), 413),
            ("body in chunks", post(b"1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n" + b"x" * 501 + b"\r\n" + LAST, CHUNKED), 413),
            ("body in one chunk", post(b"fffffff\r\n" + b"x" * 1001, CHUNKED), 413),
        ):
            with self.subTest(name):
                self.refused(data, {status})

    def test_just_within_the_bounds_pass(self):
        with self.gateway.client() as client:
            client.ask("POST", "/" + "a" * (1000 - len("POST / HTTP/1.1\r\n")), [("X-A", "a" * 2500)], b"x" * 1000)
            self.assertEqual(client.read().status, 200)
            for pieces in ([b"x" * 500] * 2, [b"x" * 1000], [b"x" * 999, b"x"], [b"x"] * 1000):
                client.ask("POST", "/just", [], pieces, chunked=True)
                self.assertEqual(client.read().status, 200)
                self.assertEqual(len(self.origin.last("/just").body), 1000)

    def test_in_chunks_pass_up_to_the_last_byte_of_the_bound(self):
        for size, status in ((999, 200), (1000, 200), (1001, 413)):
            for cut in (1, 300, 2000):
                with self.subTest(size, cut=cut), self.gateway.client() as client:
                    data = post(b"%x\r\n%s\r\n%s" % (size, b"x" * size, LAST), CHUNKED).replace(b"/refused", b"/bound")
                    try:
                        for at in range(0, len(data), cut):
                            client.send(data[at:at + cut])
                    except OSError:
                        self.assertEqual(status, 413)  # the gateway answered and closed before the end
                    try:
                        self.assertEqual(client.read("POST").status, status)
                    except Truncated:
                        self.assertEqual(status, 413)
                    if status == 200:
                        self.assertEqual(len(self.origin.last("/bound").body), size)

    def test_that_come_too_slowly_get_408(self):
        for name, data in (("header", b"GET /refused HTTP/1.1\r\nHost: gate"), ("body", post(b"hel", b"Content-Length: 5")), ("chunks", post(b"3\r\nab", CHUNKED))):
            with self.subTest(name), self.gateway.client() as client:
                client.send(data)
                response = client.read("GET")
                self.assert_error(response, 408)
                client.assert_closed()
        self.assertEqual([request.body for request in self.origin.seen("/refused") if not hasattr(request, "truncated") and request.body != b"hello"], [])

    def test_that_break_off_are_never_ended(self):
        for name, data in (("length", post(b"hel", b"Content-Length: 5")), ("chunks", post(b"3\r\nabc\r\n", CHUNKED)), ("within a chunk", post(b"5\r\nabc", CHUNKED)),
                           ("within the last line", post(b"3\r\nabc\r\n0\r\n", CHUNKED))):
            for leave in ("close", "reset", "half"):
                with self.subTest(name, leave=leave):
                    before = len(self.origin.connections)
                    client = self.gateway.client()
                    client.send(data.replace(b"/refused", b"/broken-off"))
                    wait_until(lambda: len(self.origin.connections) > before or self.origin.raw()[-1].endswith(b"abc") or b"/broken-off" in self.origin.raw()[-1],
                               "the backend was reached")
                    if leave == "half":
                        client.sock.shutdown(1)
                        client.read_rest()
                    else:
                        getattr(client, leave)()
                    client.close()
        self.assertEqual(self.gateway.fetch("/").status, 200)
        wait_until(lambda: all(getattr(request, "truncated", False) for request in self.origin.seen("/broken-off")), "all were cut")


class Answers(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"backend": {"max_response_header_bytes": "16KiB", "retries": 0}})

    def say(self, path, data, end="close"):
        def handler(call):
            call.send(data)
            if end:
                getattr(call, end)()
        self.origin.on(path, handler)

    def test_that_are_malformed_are_502(self):
        for name, data in BAD_ANSWERS:
            with self.subTest(name):
                self.say("/bad", data)
                with self.gateway.client() as client:
                    self.assert_error(client.get("/bad"), 502)
                    self.assertEqual(client.get("/").body, b"origin")

    def read(self, name, data, status, body):
        self.say("/careless", data, end=None)
        with self.gateway.client() as client:
            asked = [("If-None-Match", '"1"')] if status == 304 else []  # a 304 that was not asked for gives 502
            response = client.get("/careless", asked)
            self.assertEqual((response.status, response.body), (status, body), name)
            before = len(self.origin.connections)
            self.assertEqual(client.get("/").body, b"origin")
            return len(self.origin.connections) - before

    def test_that_are_careless_are_read_and_their_connections_not_kept(self):
        chunks = FORGIVEN_CHUNKS if TRANSPORT != "curl" else []
        for name, data, status, body in FORGIVEN + chunks:
            with self.subTest(name):
                self.assertEqual(self.read(name, data, status, body), 1, "a new connection")

    def test_that_are_well_keep_their_connections(self):
        for name, data, status, body in WELL:
            with self.subTest(name):
                self.assertEqual(self.read(name, data, status, body), 0, "the same connection")

    def test_in_careless_chunks_are_read(self):
        for name, data, status, body in FORGIVEN_CHUNKS:
            with self.subTest(name):
                self.read(name, data, status, body)

    def test_may_have_as_many_fields_as_configured(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"backend": {"max_response_headers": 20}})
            for count, status in ((20, 200), (21, 502)):
                with self.subTest(count):
                    self.origin.on("/many", fields=[("X-A", "a")] * (count - 1))  # and Content-Length
                    self.assertEqual(gateway.fetch("/many").status, status)

    def test_that_did_not_end_are_never_ended(self):
        for name, data in TRUNCATED:
            if TRANSPORT == "curl" and name == "chunked, a bare LF":
                continue  # libcurl reads chunks itself, and accepts a bare LF as a line's end
            for end in ("close", "reset"):
                with self.subTest(name, end=end), self.gateway.client() as client:
                    self.say("/truncated", data, end)
                    client.ask(target="/truncated")
                    try:
                        response = client.read()
                    except Truncated as cut:
                        self.assertEqual(cut.cause, "closed")  # the framing shows that the body broke off, so no reset is needed that could destroy the part that came
                        continue
                    self.assertEqual(response.status, 502)  # nothing had been sent downstream yet

    def test_that_did_not_end_reach_the_client_as_far_as_they_came(self):
        for name, said in (("length", reply(fields=[("Content-Length", "3000000")])), ("chunked", reply(chunked=True)[:-5] + b"2dc6c0\r\n")):
            with self.subTest(name), self.gateway.client() as client:
                self.say("/broke-off", said + b"x" * 2000000, "close")
                client.ask(target="/broke-off")
                try:
                    client.read()
                    self.fail("it did not end")
                except Truncated as cut:
                    self.assertEqual((len(cut.message.body), cut.cause), (2000000, "closed"))

    def test_that_did_not_end_are_not_ended_for_http_1_0_either(self):
        """There the end of the stream ends the body: only a reset can show that the body broke off."""
        self.say("/truncated", reply(chunked=True)[:-5] + b"3\r\nabc\r\n")
        with self.gateway.client() as client:
            client.send(b"GET /truncated HTTP/1.0\r\n\r\n")
            try:
                response = client.read()
            except Truncated as cut:
                self.assertEqual(cut.cause, "reset")
            else:
                self.assertEqual(response.status, 502)

    def test_that_end_by_closing_did_not_end_when_reset(self):
        def handler(call):
            call.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
            wait_until(lambda: read, "the client has it")
            call.reset()
        read = []
        self.origin.on("/until-close", handler)
        with self.gateway.client() as client:
            client.ask(target="/until-close")
            response = client.read_head()
            with self.assertRaises(Truncated):
                for piece in client.reader.pieces(response):
                    read.append(piece)

    def test_that_end_by_closing_did_not_end_when_reset_with_their_last_bytes(self):
        def handler(call):
            call.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
            call.reset()
        self.origin.on("/reset-at-once", handler)
        for _ in range(20):
            with self.gateway.client() as client:
                client.ask(target="/reset-at-once")
                try:
                    response = client.read()
                except Truncated:
                    continue
                self.assertEqual(response.status, 502, response)

    def test_are_not_mixed_with_what_follows_them(self):
        evil = b"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\nevil"
        for name, data in (("length", reply(body=b"good") + evil), ("chunked", reply(body=b"good", chunked=True) + evil), ("none", reply(status=304) + evil)):
            with self.subTest(name), self.gateway.client() as client:
                self.origin.on("/followed", data)
                client.get("/followed")
                self.assertEqual(client.get("/").body, b"origin")
                self.assertEqual(client.get("/").body, b"origin")

    def test_to_head_with_a_body_do_not_reach_the_next(self):
        self.origin.on("/talkative", b"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\nevil")
        with self.gateway.client() as client:
            client.ask("HEAD", "/talkative")
            self.assertEqual(client.read().status, 200)
            self.assertEqual(client.get("/").body, b"origin")

    def test_to_head_may_say_two_things_of_the_length(self):  # Phoenix sends this; nginx and haproxy let it pass
        self.origin.on("/both", b"HTTP/1.1 200 X\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n")
        with self.gateway.client() as client:
            client.ask("HEAD", "/both")
            answer = client.read()
            self.assertEqual((answer.status, answer.has("Content-Length")), (200, False))
            before = len(self.origin.connections)
            self.assertEqual(client.get("/").body, b"origin")
            self.assertEqual(len(self.origin.connections), before + 1, "its connection is not kept")

    def test_cannot_smuggle_fields_by_a_value(self):
        self.origin.on("/value", fields=[("X-A", "a b\tc")])
        self.assertEqual(self.gateway.fetch("/value").field("X-A"), "a b\tc")


if __name__ == "__main__":
    main()
