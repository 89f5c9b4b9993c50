"""Requests that want a fresh answer of the backend (Cache-Control: no-cache, a browser's reload), and a backend that says when it began
to answer: an answer must not be older than its request."""
import random
import threading
import time

from stage import in_parallel, wait_until

FRESH = [("Cache-Control", "max-age=60")]
NO_CACHE = [("Cache-Control", "no-cache")]


class Reloads:
    """Used together with Scene; the stage has .origin and .gateways."""

    def timed(self, path, status=200, fields=FRESH, tag=None, confirms=True, says=None, gate=None):
        """Answers when the gate is open, with X-Began (when the request came) and X-Number. tag: with this ETag, and 304 to a request
        that has it (confirms); says: the name of the request's field that the body repeats."""
        gate = gate or threading.Event()

        def say(call):
            told = fields + [("X-Began", time.monotonic_ns()), ("X-Number", call.number)] + ([("ETag", tag)] if tag else [])
            call.wait(gate)
            if confirms and tag and call.request.field("If-None-Match") == tag:
                call.respond(304, told)
            else:
                call.respond(status, told, body=(call.request.field(says) or "").encode() if says else b"body")
        self.origin.on(path, say)
        return gate

    def in_flight(self):
        """The request that asks for the metrics is counted, and perhaps the one before it, by another worker. So this takes the least of
        several values."""
        return sum(min(gateway.metric_sum("gateway_requests_in_flight") for _ in range(5)) - 1 for gateway in self.gateways)

    def all_wait(self, count):
        wait_until(lambda: self.in_flight() >= count, "%d requests are in flight" % count)

    def lead(self, path):
        """The first client, as in reload(); the backend gets its request."""
        pair, = self.reload(1, path, among=0)
        wait_until(lambda: self.origin.count(path), "the backend is asked")
        return pair

    def reload(self, count, path, fields=NO_CACHE, among=None, method="GET", gateway=None):
        """So many clients, in turn at each gateway, as pairs with the time before each sent its request; when all of them (with those
        before: among) are in flight. among 0: does not wait for that."""
        clients = []
        for number in range(count):
            client = (gateway or self.gateways[number % len(self.gateways)]).client()
            self.addCleanup(client.close)
            sent = time.monotonic_ns()
            client.ask(method, path, fields=fields)
            clients.append((sent, client))
        if among != 0:
            self.all_wait(among or count)
        return clients

    def reload_at_random(self, rounds):
        """Eight visitors: each reload gets an answer that the backend began after the reload was sent."""
        reloads = [0] * 8

        def say(call):
            told = [("X-Began", time.monotonic_ns()), ("X-Number", call.number), ("ETag", '"%d"' % (call.number // 3))]
            time.sleep(random.random() * 0.01)
            private = [("Cache-Control", "private")] if call.number % 37 == 0 else FRESH
            call.respond(fields=private + told, body=b"x" * (call.number % 3))
        self.origin.on("/random/a", say)
        self.origin.on("/random/b", say)

        def visit(index):
            chance = random.Random(index)
            for _ in range(rounds):
                path, what = chance.choice(("/random/a", "/random/b")), chance.random()
                if what < 0.7:
                    reloads[index] += 1
                    sent, client = self.reload(1, path, among=0, gateway=chance.choice(self.gateways))[0]
                    if chance.random() > 0.05:
                        self.read_newer([(sent, client)])
                    client.close()
                else:
                    method, body = ("PUT", b"") if what < 0.73 else ("GET", None)
                    self.assertEqual(chance.choice(self.gateways).fetch(path, method=method, body=body).status, 200)
        in_parallel(8, visit)
        asked = self.origin.count("/random/a") + self.origin.count("/random/b")
        self.assertLess(asked, sum(reloads), "some shared a fetch")

    def read_newer(self, clients):
        """The answers. The backend must have begun each of them after its request was sent."""
        answers = []
        for sent, client in clients:
            answer = client.read()
            self.assertIn(answer.status, (200, 206, 304))
            self.assertGreater(int(answer.field("X-Began")), sent, "older than its request: %r" % answer)
            answers.append(answer)
        return answers
