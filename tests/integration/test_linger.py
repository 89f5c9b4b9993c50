"""A client that goes on sending after its answer gets the answer (RFC 9112 §9.6), and does not hold the gateway for ever."""
import contextlib
import socket
import threading
import time

from stage import PATIENCE, Scene, Stage, Truncated, in_parallel, main, wait_until

UPLOAD = 20000000
LIMITED = {"limits": {"enabled": True, "rate": "1/h", "burst": 1}}


def upload(gateway, target="/", bytes_sent=UPLOAD):
    """Sends all of a body first and then reads the answer, as fetch() and requests do."""
    with gateway.client() as client:
        client.send(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (target.encode(), bytes_sent))
        client.send(b"x" * bytes_sent)
        return client.read("POST")


class Lingering(Scene):
    def limited(self, stage, **server):
        gateway = stage.gateway(stage.origin(), {**LIMITED, "server": {"workers": 2, **server}})
        gateway.fetch("/")
        self.assertEqual(gateway.fetch("/").status, 429)
        return gateway

    def test_a_refused_upload_gets_its_answer(self):
        with Stage() as stage:
            gateway = self.limited(stage)
            for _ in range(5):
                self.assertEqual([answer.status for answer in in_parallel(8, lambda _: upload(gateway))], [429] * 8)

    def test_so_does_one_that_the_backend_answers_early(self):
        with Stage() as stage:
            origin = stage.origin()
            gateway = stage.gateway(origin)
            for name, status, body in (("small", 413, b"too large"), ("large", 200, b"y" * 5000000), ("chunked", 200, [b"z" * 1000000] * 5)):
                origin.on("/" + name, lambda call, status=status, body=body: (call.respond(status, body=body, chunked=isinstance(body, list)), call.wait_for_close(), call.close()), streamed=True)
                with self.subTest(name):
                    for _ in range(3):
                        answer = upload(gateway, "/" + name)
                        self.assertEqual((answer.status, answer.body), (status, body if isinstance(body, bytes) else b"".join(body)))
                        self.assertEqual(answer.field("Connection"), "close")

    def test_so_does_one_that_is_too_large(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"server": {"max_body_bytes": "1MiB"}})
            self.assertEqual(upload(gateway).status, 413)
            with gateway.client() as client:
                client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(100):
                    client.send(b"30d40\r\n" + b"x" * 200000 + b"\r\n")
                self.assertEqual(client.read("POST").status, 413)

    def refused(self, gateway):
        """A client with an unfinished body that has its answer; the gateway has closed its side."""
        client = gateway.client()
        self.addCleanup(client.close)
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % UPLOAD)
        self.assertEqual(client.read("POST").status, 429)
        client.assert_closed()
        return client

    def test_silence_ends_it(self):
        with Stage() as stage:
            gateway = self.limited(stage, linger_silence="200ms", linger_timeout="600s")
            self.refused(gateway)
            wait_until(lambda: gateway.metric_sum("gateway_active_connections") == 1, "it is closed")

    def test_time_ends_it_though_bytes_come(self):
        with Stage() as stage:
            gateway = self.limited(stage, linger_silence="600s", linger_timeout="500ms")
            client, ends = self.refused(gateway), time.monotonic() + PATIENCE
            with self.assertRaises(OSError):
                while time.monotonic() < ends:
                    client.send(b"x" * 100)
                    time.sleep(0.01)

    def test_it_counts_as_a_connection_and_is_bounded(self):
        with Stage() as stage:
            gateway = self.limited(stage, linger_silence="600s", linger_timeout="600s", max_lingering=3)
            clients = [self.refused(gateway) for _ in range(3)]
            self.assertGreaterEqual(gateway.metric_sum("gateway_active_connections"), 3)
            fourth = self.refused(gateway)
            with self.assertRaises(OSError):
                wait_until(lambda: fourth.send(b"x" * 1000), "it is closed")
            for client in clients:
                client.send(b"x" * 1000)
                client.close()
            wait_until(lambda: gateway.metric_sum("gateway_active_connections") == 1, "they are gone")
            client = self.refused(gateway)  # there is room again
            client.send(b"x" * 1000)
            client.sock.shutdown(socket.SHUT_WR)

    def test_it_does_not_hold_a_drain(self):
        with Stage() as stage:
            gateway = self.limited(stage, linger_silence="600s", linger_timeout="600s", drain_timeout="600s")
            self.refused(gateway)
            gateway.stop()
            stage.actors.remove(gateway)
            stage.gateways.remove(gateway)

    @contextlib.contextmanager
    def sending_on(self):
        """Yields a list. Every client in it gets a byte again and again, for as long as it takes bytes."""
        clients, ends = [], threading.Event()

        def run():
            while not ends.wait(0.05):
                for client in list(clients):
                    try:
                        client.send(b"x")
                    except OSError:
                        clients.remove(client)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield clients
        finally:
            ends.set()
            thread.join()

    def test_nor_does_one_that_sends_on(self):
        with Stage() as stage:
            gateway = self.limited(stage, linger_silence="600s", linger_timeout="600s", drain_timeout="600s")
            with self.sending_on() as clients:
                clients.append(self.refused(gateway))
                gateway.stop()
            stage.actors.remove(gateway)
            stage.gateways.remove(gateway)

    def test_nor_the_descriptors_that_others_wait_for(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {**LIMITED, "server": {"linger_silence": "600s", "linger_timeout": "600s"}}, files=256)
            gateway.fetch("/")
            with self.sending_on() as clients:
                for _ in range(200):
                    clients.append(self.refused(gateway))
            self.assertGreaterEqual(gateway.metric("gateway_accept_waits_total"), 1)

    def test_what_is_refused_at_once_is_read_too(self):
        """Only the head is refused: the bytes that follow it are read all the same."""
        with Stage() as stage:
            gateway = stage.gateway(stage.origin())
            for line, status in ((b"POST / HTTP/1.1", 400), (b"POST /" + b"x" * 10000 + b" HTTP/1.1", 414)):
                with self.subTest(status), gateway.client() as client:
                    client.send(line + b"\r\nContent-Length: %d\r\n\r\n" % UPLOAD)
                    client.send(b"x" * UPLOAD)
                    try:
                        self.assertEqual(client.read("POST").status, status)
                    except Truncated as cut:
                        self.fail("its answer is lost: %s" % cut)


if __name__ == "__main__":
    main()
