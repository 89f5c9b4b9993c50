"""Tests of the stage itself: if the strict reader forgave an error, every other test could pass for the wrong reason."""
import os
import socket
import tempfile
import threading
import unittest
import unittest.mock

from stage import Client, Malformed, Origin, Port, Reader, Request, Response, Truncated, main, reply, wait_until


def read(kind, data):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        reader = Reader(ours, kind)
        message = reader.head()
        reader.body(message)
        message.rest = bytes(reader.buffer)
        return message


class APort(unittest.TestCase):
    def test_is_taken_once_until_it_is_released_and_leaves_no_file(self):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(tempfile, "tempdir", folder):
            port = Port()
            with unittest.mock.patch("random.SystemRandom.randrange", side_effect=[port.number, port.number, 10007, 10008, 10009]):
                other = Port()
            self.assertNotEqual(other.number, port.number)
            port.release()
            with unittest.mock.patch("random.SystemRandom.randrange", side_effect=[port.number]):
                again = Port()
            self.assertEqual(again.number, port.number)
            for one in (other, again):
                one.release()
            self.assertEqual(os.listdir(folder), [])


class TheReader(unittest.TestCase):
    def test_refuses_what_is_not_well_formed(self):
        fields = b"Content-Length: 0\r\n"
        for data in (
            b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\rc\r\n" + fields + b"\r\n",
            b"HTTP/1.1 200 OK\r\nA : b\r\n" + fields + b"\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n" + fields + b"\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\0\r\n" + fields + b"\r\n",
            b"HTTP/1.1 20 OK\r\n" + fields + b"\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + fields + b"\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nabc\r\n0\r\n\r\n",
        ):
            with self.subTest(data), self.assertRaises(Malformed):
                read(Response, data)
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"):
            with self.subTest(data), self.assertRaises(Malformed):
                read(Request, data)

    def test_tells_a_body_that_did_not_end(self):
        for data in (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"HTTP/1.1 200 OK\r\nContent-"):
            with self.subTest(data), self.assertRaises(Truncated):
                read(Response, data)

    def test_reads_every_framing(self):
        for data in (reply(body=b"abc"), reply(body=[b"a", b"bc"], chunked=True), b"HTTP/1.1 200 OK\r\n\r\nabc"):
            with self.subTest(data):
                self.assertEqual(read(Response, data).body, b"abc")


class TheOrigin(unittest.TestCase):
    def setUp(self):
        self.origin = Origin()
        self.addCleanup(self.origin.stop)

    def test_says_what_it_is_told_and_remembers_what_it_was_sent(self):
        self.origin.on("/a", status=201, fields=[("X", "y")], body=b"abc")
        with Client(self.origin.port) as client:
            client.ask("POST", "/a?b", [("A", "1"), ("A", "2")], [b"x" * 3, b"y"], chunked=True)
            client.ask("HEAD", "/a")
            first, second = client.read(), client.read()
        self.assertEqual((first.status, first.body, second.body), (201, b"abc", b""))
        self.assertEqual(self.origin.seen("/a")[0].all("a"), ["1", "2"])
        self.assertEqual(self.origin.seen("/a")[0].body, b"xxxy")

    def test_can_wait_and_cut(self):
        gate = threading.Event()

        def half(call):
            call.send(reply(fields=[("Content-Length", "6")]) + b"abc")
            call.wait(gate)
            call.close()
        self.origin.on("/half", half)
        with Client(self.origin.port) as client:
            client.ask(target="/half")
            wait_until(lambda: self.origin.count("/half"), "the origin was asked")
            gate.set()
            with self.assertRaises(Truncated) as caught:
                client.read()
        self.assertEqual(caught.exception.message.body, b"abc")

    def test_a_malformed_request_fails_the_stage(self):
        with Client(self.origin.port) as client:
            client.send(b"GET / HTTP/1.1\nHost: a\r\n\r\n")
            client.assert_closed()
        with self.assertRaises(AssertionError):
            self.origin.stop()
        self.origin.faults.clear()


if __name__ == "__main__":
    main()
