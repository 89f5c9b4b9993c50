"""Bodies of any length, both ways, with a slow side: memory stays flat."""
import hashlib
import threading

from stage import PATIENCE, SANITIZER, Scene, Stage, main, reply, wait_until

TOTAL = (96 if SANITIZER else 256) << 20  # the kernel alone may hold 32 MiB on the way
PIECE = b"0123456789abcdef" * 4096  # 64 KiB
BOUND = 8 << 20


class ASlowSide(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin(receive_buffer=65536)
        cls.gateway = stage.gateway(cls.origin)
        cls.gateway.fetch("/")

    def flat(self, before):
        if not SANITIZER:  # under a sanitizer freed memory is kept for a while
            self.assertLess(self.gateway.rss() - before, BOUND)

    def test_pauses_a_download(self):
        for chunked in (False, True):
            with self.subTest(chunked=chunked):
                sent = []

                def say(call, chunked=chunked, sent=sent):
                    call.send(reply(chunked=True)[:-5] if chunked else reply(fields=[("Content-Length", str(TOTAL))]))
                    for _ in range(TOTAL // len(PIECE)):
                        call.send(b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
                        sent.append(len(PIECE))
                    if chunked:
                        call.send(b"0\r\n\r\n")
                self.origin.on("/download", say)
                before = self.gateway.rss()
                with self.gateway.client(receive_buffer=65536) as client:
                    client.ask(target="/download")
                    response = client.read_head()
                    self.comes_to_rest(lambda: sum(sent))
                    self.assertLess(sum(sent), TOTAL // 2, "a client that reads nothing did not pause its backend")
                    self.flat(before)
                    seen = sum(len(piece) for piece in client.reader.pieces(response))
                    self.assertEqual(seen, TOTAL)
                    self.flat(before)

    def test_pauses_an_upload(self):
        for chunked in (False, True):
            with self.subTest(chunked=chunked):
                gate, seen = threading.Event(), []

                def take(call, gate=gate, seen=seen):
                    call.wait(gate)
                    digest = hashlib.sha256()
                    for piece in call.pieces():
                        digest.update(piece)
                        seen.append(len(piece))
                    call.respond(body=digest.hexdigest().encode())
                self.origin.on("/upload", take, streamed=True)
                before, sent, digest = self.gateway.rss(), [], hashlib.sha256()
                with self.gateway.client() as client:
                    framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: %d" % TOTAL
                    client.send(("POST /upload HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % framing).encode())

                    def send():
                        for _ in range(TOTAL // len(PIECE)):
                            client.send(b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
                            digest.update(PIECE)
                            sent.append(len(PIECE))
                        if chunked:
                            client.send(b"0\r\n\r\n")
                    sender = threading.Thread(target=send, daemon=True)
                    sender.start()
                    self.comes_to_rest(lambda: sum(sent))
                    self.assertLess(sum(sent), TOTAL // 2, "a backend that reads nothing did not pause its client")
                    self.flat(before)
                    gate.set()
                    response = client.read("POST")
                    sender.join(PATIENCE)
                    self.assertEqual(response.body.decode(), digest.hexdigest())
                    self.assertEqual(sum(seen), TOTAL)
                    self.flat(before)

    @staticmethod
    def comes_to_rest(measure):
        """Waits until the measured value has not grown for half a second."""
        history = []

        def rests():
            history.append(measure())
            return len(history) > 100 and history[-1] == history[-100]
        wait_until(rests, "the flow pauses")


class ManyWithoutReading(Scene):
    def test_cost_what_their_bounds_say(self):
        with Stage() as stage:
            origin = stage.origin()
            origin.on("/large", body=PIECE * 32)
            gateway = stage.gateway(origin)
            gateway.fetch("/")
            before = gateway.rss()
            clients = [gateway.client(receive_buffer=4096) for _ in range(50)]
            for client in clients:
                client.ask(target="/large")
            for client in clients:
                client.read_head()
            if not SANITIZER:
                self.assertLess(gateway.rss() - before, 50 * (512 << 10))
            for client in clients:
                client.close()
            self.assertEqual(gateway.fetch("/").status, 200)


if __name__ == "__main__":
    main()
