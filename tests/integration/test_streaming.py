"""Bodies flow piece by piece, both ways, and Expect: 100-continue goes end to end."""
import hashlib
import random
import threading
import time
import unittest

from stage import TRANSPORT, Scene, Stage, main, reply, wait_until


def head(method, target, *fields):
    return ("\r\n".join(["%s %s HTTP/1.1" % (method, target), "Host: gateway.test"] + list(fields)) + "\r\n\r\n").encode()


class Bodies(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin)

    def test_of_answers_arrive_piece_by_piece(self):
        for name, first, rest in (
            ("chunked", reply(chunked=True)[:-5] + b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n"),
            ("length", reply(fields=[("Content-Length", "6")]) + b"one", b"two"),
            ("event stream", reply(fields=[("Content-Type", "text/event-stream")], chunked=True)[:-5] + b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n"),
        ):
            with self.subTest(name), self.gateway.client() as client:
                gate = threading.Event()

                def say(call, first=first, rest=rest, gate=gate):
                    call.send(first)
                    call.wait(gate)
                    call.send(rest)
                self.origin.on("/pieces", say)
                client.ask(target="/pieces")
                response = client.read_head()
                pieces = client.reader.pieces(response)
                seen = next(pieces)
                while len(seen) < 3:
                    seen += next(pieces)
                self.assertEqual(seen, b"one")  # the rest is not sent yet
                gate.set()
                self.assertEqual(b"".join(pieces), b"two")

    def test_of_answers_without_an_end_of_their_own_arrive_piece_by_piece(self):
        gate = threading.Event()

        def say(call):
            call.send(b"HTTP/1.1 200 OK\r\n\r\none")
            call.wait(gate)
            call.send(b"two")
            call.close()
        self.origin.on("/until-close", say)
        with self.gateway.client() as client:
            client.ask(target="/until-close")
            pieces = client.reader.pieces(client.read_head())
            self.assertEqual(next(pieces), b"one")
            gate.set()
            self.assertEqual(b"".join(pieces), b"two")

    def test_of_requests_arrive_piece_by_piece(self):
        for name, fields, first, rest in (("chunked", "Transfer-Encoding: chunked", b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n"),
                                          ("length", "Content-Length: 6", b"one", b"two")):
            with self.subTest(name), self.gateway.client() as client:
                got_first = threading.Event()

                def take(call, got_first=got_first):
                    body = b""
                    for piece in call.pieces():
                        body += piece
                        if body == b"one":
                            got_first.set()
                    call.respond(body=body)
                self.origin.on("/upload", take, streamed=True)
                client.send(head("POST", "/upload", fields) + first)
                self.assertTrue(got_first.wait(30), "the first piece did not reach the backend before the second was sent")
                client.send(rest)
                self.assertEqual(client.read("POST").body, b"onetwo")

    def test_of_eight_megabytes_arrive_whole(self):
        body = random.Random(8).randbytes(8 << 20)
        digest = hashlib.sha256(body).hexdigest().encode()

        def take(call):
            seen = hashlib.sha256()
            for piece in call.pieces():
                seen.update(piece)
            call.respond(body=seen.hexdigest().encode())
        self.origin.on("/large", take, streamed=True)
        self.origin.on("/large-answer", body=body)
        self.origin.on("/large-pieces", body=[body[at:at + 100001] for at in range(0, len(body), 100001)], chunked=True)
        self.assertEqual(self.gateway.fetch("/large", method="PUT", body=body).body, digest)
        self.assertEqual(self.gateway.fetch("/large", method="PUT", body=[body[at:at + 70001] for at in range(0, len(body), 70001)], chunked=True).body, digest)
        for target in ("/large-answer", "/large-pieces"):
            self.assertEqual(hashlib.sha256(self.gateway.fetch(target).body).hexdigest().encode(), digest)

    def test_of_single_bytes_arrive_whole(self):
        with self.gateway.client() as client:
            for byte in head("POST", "/dribble", "Transfer-Encoding: chunked") + b"1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n":
                client.send(bytes([byte]))
            self.assertEqual(client.read("POST").status, 200)
        self.assertEqual(self.origin.last("/dribble").body, b"abc")

        def say(call):
            for byte in reply(body=[b"abc", b"de"], chunked=True):
                call.send(bytes([byte]))
        self.origin.on("/dribbled", say)
        self.assertEqual(self.gateway.fetch("/dribbled").body, b"abcde")

    def test_lose_their_trailers(self):  # RFC 9110 §6.5.1: a recipient that has no place for them may drop them
        with self.gateway.client() as client:
            client.send(head("POST", "/trailers", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n")
            self.assertEqual(client.read("POST").status, 200)
            seen = self.origin.last("/trailers")
            self.assertEqual((seen.body, seen.trailers, seen.has("X-Trailer")), (b"abc", [], False))
            self.origin.on("/trailers", reply(chunked=True)[:-5] + b"3\r\nabc\r\n0\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n")
            response = client.get("/trailers")
            self.assertEqual((response.body, response.trailers, response.has("X-Trailer")), (b"abc", [], False))
            self.assertEqual(client.get("/").body, b"origin")

    def test_that_are_answered_before_their_end_close_the_connection(self):
        self.origin.on("/early", lambda call: (call.send(reply(status=403, body=b"no")), call.wait_for_close()), streamed=True)
        with self.gateway.client() as client:
            client.send(head("POST", "/early", "Content-Length: 1000000") + b"x" * 1000)
            response = client.read("POST")
            self.assertEqual((response.status, response.body), (403, b"no"))
            self.assertIn("close", (response.field("Connection") or "").lower())
            client.sock.shutdown(1)
            client.assert_closed()
        self.assertEqual(self.gateway.fetch("/").body, b"origin")


class Expectations(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"backend": {"continue_timeout": "60s"}})
        cls.impatient = stage.gateway(cls.origin, {"backend": {"continue_timeout": "50ms"}})

    def expect(self, client, target, *fields):
        client.send(head("POST", target, "Expect: 100-continue", *(fields or ("Content-Length: 5",))))

    def test_are_met_by_the_backend(self):
        for framing, body in (("Content-Length: 5", b"hello"), ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")):
            asked, gate = threading.Event(), threading.Event()

            def meet(call, asked=asked, gate=gate):
                asked.set()
                call.wait(gate)
                call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                call.respond(body=call.read_body())
            self.origin.on("/expect", meet, streamed=True)
            with self.subTest(framing), self.gateway.client() as client:
                self.expect(client, "/expect", framing)
                self.assertTrue(asked.wait(30))
                gate.set()
                interim = client.reader.head()
                self.assertEqual(interim.status, 100)
                client.send(body)
                self.assertEqual(client.read("POST").body, b"hello")
                self.assertEqual(client.get("/").body, b"origin")

    def test_with_a_body_that_is_there_already_wait_for_nothing(self):  # RFC 9110 §10.1.1
        self.origin.on("/at-once", lambda call: call.respond(body=call.read_body() + (call.request.field("Expect") or ", not asked").encode()), streamed=True)
        for framing, body in (("Content-Length: 5", b"hello"), ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")):
            for first in (1, len(body)):
                with self.subTest(framing, first=first), self.gateway.client() as client:
                    client.send(head("POST", "/at-once", "Expect: 100-continue", framing) + body[:first])
                    client.send(body[first:])
                    response = client.read("POST")
                    self.assertEqual((response.body, response.interim), (b"hello, not asked", []))
                    self.assertEqual(client.get("/").body, b"origin")

    @unittest.skipIf(TRANSPORT == "curl", "libcurl waits once it has begun")
    def test_with_a_body_that_comes_without_waiting_are_not_waited_for(self):
        asked = threading.Event()
        self.origin.on("/comes", lambda call: (asked.set(), call.respond(body=call.read_body())), streamed=True)
        with self.gateway.client() as client:
            self.expect(client, "/comes")
            self.assertTrue(asked.wait(30))
            client.send(b"hello")
            self.assertEqual(client.read("POST").body, b"hello")
            self.assertEqual(client.get("/").body, b"origin")

    def test_of_an_upload_that_is_answered_while_it_comes_end(self):
        """A chunked answer that begins before the request's body has ended is whole, over both transports."""
        def answer_first(call):
            call.send(reply(chunked=True)[:-5] + b"3\r\nabc\r\n")
            call.send(b"0\r\n\r\n")
            call.read_body()
        self.origin.on("/answers-first", answer_first, streamed=True)
        for _ in range(3):
            with self.gateway.client() as client:
                client.send(head("POST", "/answers-first", "Content-Length: 2000000") + b"x" * 2000000)
                self.assertEqual(client.read("POST").body, b"abc")

    def test_are_forwarded(self):
        def meet(call):
            call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            call.read_body()
            call.respond(body=(call.request.field("Expect") or "").encode())
        self.origin.on("/forwarded", meet, streamed=True)
        with self.gateway.client() as client:
            self.expect(client, "/forwarded")
            self.assertEqual(client.reader.head().status, 100)
            client.send(b"hello")
            self.assertEqual(client.read("POST").body, b"100-continue")

    def test_are_refused_by_the_backend_before_the_body(self):
        self.origin.on("/refused", lambda call: (call.send(reply(status=403, body=b"no")), call.wait_for_close()), streamed=True)
        with self.gateway.client() as client:
            self.expect(client, "/refused")
            response = client.read("POST")
            self.assertEqual((response.status, response.body, response.interim), (403, b"no", []))
            self.assertIn("close", (response.field("Connection") or "").lower())

    def test_are_over_with_the_final_answer(self):
        """While the backend still wants the rest of the body, the answer must not get a 100 inside it."""
        def answer_early(call):
            call.send(reply(chunked=True)[:-5])
            for _ in range(20):
                call.send(b"2\r\nab\r\n")
                time.sleep(0.01)
            call.send(b"0\r\n\r\n")
            call.wait_for_close()
        self.origin.on("/early", answer_early, streamed=True)
        for _ in range(3):
            with self.impatient.client() as client:
                self.expect(client, "/early")
                response = client.read_head()
                self.assertEqual(response.status, 200)
                received = bytes(client.reader.buffer)
                while received.count(b"ab") < 20:
                    received += client.sock.recv(65536)
                self.assertNotIn(b"HTTP/1.1", received)

    def test_that_are_answered_without_100_leave_no_connection_in_the_middle_of_a_body(self):
        """The rest of the body would otherwise be taken for the next request on that connection."""
        self.origin.on("/answered", lambda call: (call.send(reply(chunked=True)[:-5] + b"3\r\nabc\r\n0\r\n\r\n"), call.read_body()), streamed=True)
        for framing in ("Content-Length: 500", "Transfer-Encoding: chunked"):
            with self.subTest(framing), self.gateway.client() as client:
                self.expect(client, "/answered", framing)
                self.assertEqual(client.read("POST").body, b"abc")
                for _ in range(3):
                    self.assertEqual(self.gateway.fetch("/").body, b"origin")

    def test_are_met_by_the_gateway_where_the_backend_is_silent(self):
        self.origin.on("/silent", lambda call: call.respond(body=call.read_body()), streamed=True)
        with self.impatient.client() as client:
            self.expect(client, "/silent")
            self.assertEqual(client.reader.head().status, 100)
            client.send(b"hello")
            self.assertEqual(client.read("POST").body, b"hello")

    def test_may_be_sent_with_the_body_at_once(self):
        def meet(call):
            call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            call.respond(body=call.read_body())
        self.origin.on("/at-once", meet, streamed=True)
        with self.gateway.client() as client:
            client.send(head("POST", "/at-once", "Expect: 100-continue", "Content-Length: 5") + b"hello")
            self.assertEqual(client.read("POST").body, b"hello")

    def test_of_http_1_0_are_ignored(self):  # RFC 9110 §10.1.1
        self.origin.on("/old", lambda call: call.respond(body=call.read_body()), streamed=True)
        with self.gateway.client() as client:
            client.send(b"POST /old HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
            response = client.read("POST")
            self.assertEqual((response.body, response.interim), (b"hello", []))

    def test_that_are_unknown_get_417(self):
        with self.gateway.client() as client:
            client.send(head("POST", "/unknown", "Expect: 200-ok", "Content-Length: 5"))
            self.assert_error(client.read("POST"), 417)
        self.assertEqual(self.origin.count("/unknown"), 0)


class AClientThatLeaves(Scene):
    def test_ends_what_the_backend_does_for_it(self):
        with Stage() as stage:
            origin = stage.origin()
            ended = []

            def endless(call):
                call.send(reply(chunked=True)[:-5] + b"3\r\none\r\n")
                ended.append(call.wait_for_close())
            origin.on("/endless", endless)
            origin.on("/silent", lambda call: ended.append(call.wait_for_close()))
            gateway = stage.gateway(origin)
            for target in ("/endless", "/silent"):
                for leave in ("close", "reset"):
                    with self.subTest(target=target, leave=leave):
                        before, asked = len(ended), origin.count(target)
                        client = gateway.client()
                        client.ask(target=target)
                        wait_until(lambda: origin.count(target) > asked, "the backend was asked")
                        if target == "/endless":
                            client.read_head()
                        getattr(client, leave)()
                        wait_until(lambda: len(ended) > before, "the backend's connection was closed")


if __name__ == "__main__":
    main()
