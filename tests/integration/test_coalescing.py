"""Request coalescing: many clients, one key. The backend is asked once if it is cold, and once more for all requests that want a fresh
answer."""
import threading
import time

from reload import Reloads
from stage import PATIENCE, Scene, Stage, in_parallel, main, reply, wait_until

FRESH = [("Cache-Control", "max-age=60")]


class ASharedFetch(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"server": {"workers": 2}, "cache": {"enabled": True, "flight_wait": "%ds" % PATIENCE}})
        # 1 if the asking request itself is counted, else 0; the request before may have its answer and still be counted by another worker
        cls.idle = min(cls.gateway.metric_sum("gateway_requests_in_flight") for _ in range(20))

    def gated(self, path, **said):
        """The origin's answer waits for the gate."""
        gate = threading.Event()

        def say(call):
            call.wait(gate)
            call.respond(**said)
        self.origin.on(path, say)
        return gate

    def all_wait(self, count):
        wait_until(lambda: self.in_flight() >= count, "%d requests are in flight" % count)

    def in_flight(self):
        return self.gateway.metric_sum("gateway_requests_in_flight") - self.idle

    def open_all(self, count, path, fields=()):
        clients = [self.gateway.client() for _ in range(count)]
        for client in clients:
            self.addCleanup(client.close)
            client.ask(target=path, fields=fields)
        return clients

    def test_of_a_hundred_clients_is_one_request(self):
        gate = self.gated("/cold", fields=FRESH, body=b"x" * 1000)
        clients = self.open_all(100, "/cold")
        self.all_wait(100)
        gate.set()
        self.assertEqual({(answer.status, answer.body) for answer in (client.read() for client in clients)}, {(200, b"x" * 1000)})
        self.assertEqual(self.origin.count("/cold"), 1)

    def test_in_pieces_is_one_request(self):
        gate = self.gated("/pieces", fields=FRESH, body=[b"a" * 100, b"b" * 100], chunked=True)
        clients = self.open_all(30, "/pieces")
        self.all_wait(30)
        gate.set()
        self.assertEqual({client.read().body for client in clients}, {b"a" * 100 + b"b" * 100})
        self.assertEqual(self.origin.count("/pieces"), 1)

    def test_goes_on_when_its_first_client_leaves(self):
        for leave in ("close", "reset"):
            with self.subTest(leave):
                path = "/first-leaves/" + leave
                gate = self.gated(path, fields=FRESH, body=b"for the others")
                first, = self.open_all(1, path)
                wait_until(lambda: self.origin.count(path), "the backend was asked")
                others = self.open_all(30, path)
                self.all_wait(31)
                getattr(first, leave)()
                wait_until(lambda: self.in_flight() <= 30, "the first is gone")
                gate.set()
                self.assertEqual({client.read().body for client in others}, {b"for the others"})
                self.assertEqual(self.origin.count(path), 1)

    def test_goes_on_for_one_that_may_be_on_the_other_worker(self):
        for turn in range(12):
            path = "/for-one/%d" % turn
            gate = self.gated(path, fields=FRESH, body=b"for the other")
            first, = self.open_all(1, path)
            wait_until(lambda: self.origin.count(path), "the backend was asked")
            other, = self.open_all(1, path)
            self.all_wait(2)
            first.close()
            wait_until(lambda: self.in_flight() <= 1, "the first is gone")
            gate.set()
            self.assertEqual(other.read().body, b"for the other")
            self.assertEqual(self.origin.count(path), 1)

    def test_that_no_client_waits_for_is_cancelled(self):
        """Before its head came, so that the backend does no useless work. The clients that wait may be on either worker."""
        for count in (1, 2, 8):
            for leave in ("close", "reset"):
                with self.subTest(count=count, leave=leave):
                    path, ended = "/given-up/%d/%s" % (count, leave), threading.Event()
                    self.origin.on(path, lambda call, ended=ended: (call.wait_for_close(), ended.set(), call.close()))
                    clients = self.open_all(count, path)
                    wait_until(lambda: self.origin.count(path), "the backend was asked")
                    self.all_wait(count)
                    for client in clients:
                        getattr(client, leave)()
                    self.assertTrue(ended.wait(PATIENCE), "the backend still works for it")
                    self.origin.on(path, fields=FRESH, body=b"again")
                    self.assertEqual(self.gateway.fetch(path).body, b"again")

    def test_that_may_not_be_shared_gives_each_an_answer_of_its_own(self):
        for name, said in (("private", [("Cache-Control", "private")]), ("cookie", [("Set-Cookie", "a=b")]), ("no-store", [("Cache-Control", "no-store")])):
            with self.subTest(name):
                path = "/own/" + name
                gate = threading.Event()

                def say(call, said=said, gate=gate):
                    call.wait(gate)
                    call.respond(fields=said, body=b"for %d" % call.number)
                self.origin.on(path, say)
                clients = self.open_all(10, path)
                self.all_wait(10)
                gate.set()
                bodies = [client.read().body for client in clients]
                self.assertEqual(len(set(bodies)), 10, "an answer that may not be shared was: %r" % bodies)

    def test_is_joined_by_none_that_carries_a_credential_or_says_no(self):
        for fields in ([("Authorization", "Basic eDp5")], [("Cache-Control", "no-cache"), ("Authorization", "Basic eDp5")], [("Cache-Control", "no-store")]):
            with self.subTest(fields):
                path = "/alone/" + fields[0][1].replace(" ", "").replace("=", "")
                gate = self.gated(path, fields=FRESH, body=b"x")
                clients = self.open_all(1, path) + self.open_all(3, path, fields)
                wait_until(lambda: self.origin.count(path) == 4, "each asked alone")
                gate.set()
                self.assertEqual({client.read().status for client in clients} - {200, 206}, set())

    def test_keeps_variants_apart(self):
        gate = threading.Event()

        def say(call):
            call.wait(gate)
            call.respond(fields=FRESH + [("Vary", "Accept-Language")], body=(call.request.field("Accept-Language") or "").encode())
        self.origin.on("/variants", say)
        clients = [(language, client) for language in ("de", "fr", "en") for client in self.open_all(5, "/variants", [("Accept-Language", language)])]
        self.all_wait(15)
        gate.set()
        for language, client in clients:
            self.assertEqual(client.read().body.decode(), language)

    def test_is_read_whole_by_the_next_request_of_a_client_that_had_304(self):
        gate = threading.Event()

        def say(call):
            call.send(b"HTTP/1.1 200 X\r\nETag: \"v\"\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            call.wait(gate)
            call.send(b"4\r\nlast\r\n0\r\n\r\n")
        self.origin.on("/304-then-200", say)
        with self.gateway.client() as client:
            client.send(b"GET /304-then-200 HTTP/1.1\r\nHost: gateway.test\r\nIf-None-Match: \"v\"\r\n\r\n"
                        b"GET /304-then-200 HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
            self.assertEqual(client.read_head().status, 304)
            self.all_wait(1)
            gate.set()
            answer = client.read()
            self.assertEqual((answer.status, answer.body), (200, b"firstlast"))
        self.assertEqual(self.origin.count("/304-then-200"), 1)

    def test_is_not_joined_after_an_unsafe_method_changed_its_url(self):  # RFC 9111 §4.4
        gate = threading.Event()

        def say(call):
            if call.request.method == "GET" and call.number == 1:
                call.wait(gate)
                call.respond(fields=FRESH, body=b"before")
            else:
                call.respond(fields=FRESH, body=b"after")
        for attempt in range(4):  # on either worker
            path = "/changed/%d" % attempt
            self.origin.on(path, say)
            early, = self.open_all(1, path)
            wait_until(lambda: self.origin.count(path) == 1, "the first was asked")
            self.assertEqual(self.gateway.fetch(path, method="PUT", body=b"x").status, 200)
            late, = self.open_all(1, path)
            try:
                wait_until(lambda: self.origin.count(path) == 3, "a request after the change asks anew", 5)
            finally:
                gate.set()
            self.assertEqual((late.read().body, early.read().body), (b"after", b"before"))
            self.assertEqual(self.gateway.fetch(path).body, b"after")
            gate.clear()

    def test_is_forgotten_before_the_unsafe_method_is_answered(self):
        """At once: the next request may be on another worker."""
        state = {}

        def say(call):
            if call.request.method == "PUT":
                state[call.request.target] = call.request.body
            call.respond(fields=FRESH, body=state.get(call.request.target, b"before"))
        self.origin.on("/put", say)

        def change(client):
            for number in range(100):
                target = "/put?%d-%d" % (client, number)
                self.gateway.fetch(target)
                self.gateway.fetch(target, method="PUT", body=b"after")
                self.assertEqual(self.gateway.fetch(target).body, b"after", target)
        in_parallel(4, change)

    def test_that_breaks_off_is_never_ended(self):
        path = "/breaks"
        gate = threading.Event()

        def say(call):
            call.wait(gate)
            call.send(reply(fields=FRESH + [("Content-Length", "9")]) + b"abc")
            call.close()
        self.origin.on(path, say)
        clients = self.open_all(10, path)
        self.all_wait(10)
        gate.set()
        for client in clients:
            try:
                self.assertEqual(client.read().status, 502)
            except AssertionError as fault:
                self.assertIn("ended within", str(fault))

    def test_over_workers_many_times(self):
        """Leaders and waiting requests on both workers, started together, many times, to meet a rare race."""
        for number in range(20):
            path = "/race/%d" % number
            self.origin.on(path, fields=FRESH, body=b"x")
            self.assertEqual(set(in_parallel(16, lambda _, path=path: self.gateway.fetch(path).status)), {200})
            self.assertEqual(self.origin.count(path), 1, path)


class Parts(Scene):
    """A part of a whole answer that is arriving. One worker, so that all requests read the same fetch as it grows."""

    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"server": {"workers": 1}, "cache": {"enabled": True, "flight_wait": "%ds" % PATIENCE}})

    def ask(self, path, asked=None):
        client = self.gateway.client()
        self.addCleanup(client.close)
        client.ask(target=path, fields=[("Range", "bytes=" + asked)] if asked else [])
        return client

    def half(self, path):
        """The backend sends half of the body, and the rest when the gate is open."""
        gate = threading.Event()

        def say(call):
            call.send(reply(200, FRESH + [("Content-Length", "10")], b"01234"))
            call.wait(gate)
            call.send(b"56789")
        self.origin.on(path, say)
        return gate

    def test_leave_as_soon_as_they_are_there(self):
        gate = self.half("/parts")
        whole = self.ask("/parts")
        wait_until(lambda: self.origin.count("/parts"), "the backend was asked")
        begins, ends, beyond = [[self.ask("/parts", asked) for _ in range(4)] for asked in ("1-3", "-2", "10-")]
        told = [client.read() for client in begins + beyond]  # the rest has not come yet
        self.assertEqual([(answer.status, answer.body, answer.field("Content-Range")) for answer in told],
                         [(206, b"123", "bytes 1-3/10")] * 4 + [(416, b"", "bytes */10")] * 4)
        begins[0].ask(target="/parts", fields=[("Range", "bytes=2-2")])  # the connection is kept
        self.assertEqual(begins[0].read().body, b"2")
        gate.set()
        self.assertEqual([(answer.status, answer.body) for answer in (client.read() for client in ends)], [(206, b"89")] * 4)
        self.assertEqual(whole.read().body, b"0123456789")
        self.assertEqual(self.origin.count("/parts"), 1)

    def test_of_what_a_range_began_goes_into_the_cache(self):
        """The client has its part and may leave: the whole answer is stored all the same."""
        gate = self.half("/began")
        client = self.ask("/began", "0-1")
        self.assertEqual(client.read().body, b"01")
        client.close()
        gate.set()
        stored = wait_until(lambda: (lambda answer: answer if answer.field("X-Cache") == "HIT" else None)(self.gateway.fetch("/began")), "it is stored")
        self.assertEqual(stored.body, b"0123456789")


class AReload(Reloads, Scene):
    """On one worker. A request that says no-cache gets an answer for which the backend was asked after the request came."""
    WORKERS = 1

    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"server": {"workers": cls.WORKERS}, "backend": {"retries": 0},
                                                 "cache": {"enabled": True, "flight_wait": "%ds" % PATIENCE}})
        cls.gateways = [cls.gateway]

    def test_by_45_at_once_is_two_requests(self):
        for fields in ([("Cache-Control", "no-cache")], [("Cache-Control", "max-age=0")], [("Pragma", "no-cache")]):
            for is_stored in (False, True):
                with self.subTest(fields, is_stored=is_stored):
                    path = "/reloaded/%s/%s" % (fields[0][1].replace("=", ""), is_stored) + fields[0][0]
                    gate = self.timed(path)
                    if is_stored:
                        gate.set()
                        self.gateway.fetch(path)
                        gate.clear()
                    before = self.origin.count(path)
                    clients = self.reload(45, path, fields)
                    gate.set()
                    self.read_newer(clients)
                    self.assertEqual(self.origin.count(path) - before, 2)
                    self.assertEqual(self.gateway.fetch(path).field("X-Cache"), "HIT")

    def test_is_answered_for_all_by_one_304(self):
        gate = self.timed("/confirmed", fields=FRESH, tag='"1"')
        gate.set()
        self.gateway.fetch("/confirmed")
        gate.clear()
        clients = self.reload(45, "/confirmed")
        gate.set()
        answers = self.read_newer(clients)
        self.assertEqual({(answer.status, answer.field("X-Cache")) for answer in answers}, {(200, "REVALIDATED")})
        self.assertEqual([request.has("If-None-Match") for request in self.origin.seen("/confirmed")], [False, True, True])

    def test_with_a_validator_of_the_client_s_own_is_answered_304(self):
        gate = self.timed("/own-tag", tag='"1"', confirms=False)
        clients = self.reload(20, "/own-tag", [("Cache-Control", "max-age=0"), ("If-None-Match", '"1"')])
        gate.set()
        self.assertEqual({client.read().status for _, client in clients}, {304})
        self.assertEqual(self.origin.count("/own-tag"), 2)

    def test_of_what_may_not_be_shared_gives_each_an_answer_of_its_own(self):
        for name, fields in (("private", [("Cache-Control", "private")]), ("cookie", [("Set-Cookie", "a=b")]), ("no-store", [("Cache-Control", "no-store")])):
            with self.subTest(name):
                path = "/reloaded-own/" + name
                gate = self.timed(path, fields=fields)
                clients = self.reload(20, path)
                gate.set()
                answers = self.read_newer(clients)
                self.assertEqual(len({answer.field("X-Number") for answer in answers}), 20)
                gate.clear()  # the gateway remembers that: no request waits for another
                before = self.origin.count(path)
                clients = self.reload(5, path)
                wait_until(lambda: self.origin.count(path) == before + 5, "each asks at once")
                gate.set()
                self.read_newer(clients)

    def test_that_leads_may_leave(self):
        for leave in ("close", "reset"):
            with self.subTest(leave):
                path = "/reload-leaves/" + leave
                gate = self.timed(path)
                _, first = self.lead(path)
                clients = self.reload(30, path, among=31)
                getattr(first, leave)()
                wait_until(lambda: self.origin.count(path) == 2, "another leads at once: no client reads what the first asked for")
                gate.set()
                self.read_newer(clients)
                self.assertEqual(self.origin.count(path), 2)

    def test_that_others_read_along_may_leave(self):
        gate = self.timed("/reload-leaves-others")
        _, first = self.lead("/reload-leaves-others")
        others = self.reload(10, "/reload-leaves-others", (), among=11)  # ordinary ones
        clients = self.reload(10, "/reload-leaves-others", among=21)
        first.close()
        self.all_wait(20)
        gate.set()
        self.assertEqual({client.read().status for _, client in others}, {200})
        self.read_newer(clients)
        self.assertEqual(self.origin.count("/reload-leaves-others"), 2)

    def test_leaves_the_others_to_the_next_if_its_backend_fails(self):
        gate = threading.Event()

        def say(call):
            came = time.monotonic_ns()
            call.wait(gate)
            if call.number == 1:
                call.send(b"HTTP/1.1 200 OK\r\nX-Broken")  # the answer has begun: the request is not tried again
                call.close()
            call.respond(fields=FRESH + [("X-Began", came), ("X-Number", call.number)], body=b"x")
        self.origin.on("/reload-fails", say)
        _, first = self.lead("/reload-fails")
        clients = self.reload(30, "/reload-fails", among=31)
        gate.set()
        self.assertEqual(first.read().status, 502)
        self.read_newer(clients)
        self.assertEqual(self.origin.count("/reload-fails"), 2)

    def test_tells_all_clients_if_its_backend_always_fails(self):
        gate = threading.Event()
        self.origin.on("/reload-fails-all", lambda call: (call.wait(gate), call.close()))
        clients = self.reload(30, "/reload-fails-all")
        gate.set()
        self.assertEqual({client.read().status for _, client in clients}, {502})

    def test_that_meets_a_failing_backend_leaves_what_is_stored(self):
        gate = self.timed("/reload-503")
        gate.set()
        self.gateway.fetch("/reload-503")
        gate.clear()
        self.timed("/reload-503", status=503, fields=[], gate=gate)
        clients = self.reload(10, "/reload-503")
        gate.set()
        self.assertEqual({client.read().status for _, client in clients}, {503})
        self.assertEqual(self.gateway.fetch("/reload-503").field("X-Cache"), "HIT")

    def test_beside_ordinary_requests_waits_for_theirs_to_end(self):
        gate = self.timed("/mixed")
        ordinary = self.reload(10, "/mixed", ())
        clients = self.reload(25, "/mixed", among=35)
        ordinary += self.reload(10, "/mixed", (), among=45)
        gate.set()
        self.assertEqual({client.read().status for _, client in ordinary}, {200})
        self.read_newer(clients)
        self.assertEqual(self.origin.count("/mixed"), 2)

    def test_takes_nothing_from_clients_that_the_cache_answers(self):
        gate = self.timed("/beside")
        gate.set()
        stored = self.gateway.fetch("/beside").field("X-Number")
        gate.clear()
        clients = self.reload(10, "/beside")
        for _ in range(5):
            answer = self.gateway.fetch("/beside")
            self.assertEqual((answer.field("X-Cache"), answer.field("X-Number")), ("HIT", stored))
        gate.set()
        self.read_newer(clients)

    def test_keeps_variants_apart(self):
        gate = self.timed("/reload-varies", fields=FRESH + [("Vary", "Accept-Language")], says="Accept-Language")
        clients = [(language, client) for language in ("de", "fr", "en")
                   for client in self.reload(8, "/reload-varies", [("Cache-Control", "no-cache"), ("Accept-Language", language)], among=1)]
        self.all_wait(24)
        gate.set()
        for language, client in clients:
            answer, = self.read_newer([client])
            self.assertEqual(answer.body.decode(), language)

    def test_of_a_part_or_a_head_alone_is_its_own(self):
        gate = self.timed("/reload-part")
        clients = self.reload(3, "/reload-part", [("Cache-Control", "no-cache"), ("Range", "bytes=0-0")])
        wait_until(lambda: self.origin.count("/reload-part") == 3, "each asks")
        clients += self.reload(3, "/reload-part", [("Cache-Control", "no-cache")], among=6, method="HEAD")
        wait_until(lambda: self.origin.count("/reload-part") == 6, "each asks")
        gate.set()
        self.read_newer(clients)

    def test_after_a_purge_or_a_write_gets_what_was_asked_after_it(self):
        gate = self.timed("/reload-purged")
        first = self.reload(8, "/reload-purged")
        self.origin.on("/other", body=b"")
        put = self.gateway.client()
        self.addCleanup(put.close)
        put.ask("PUT", "/reload-purged", body=b"")
        wait_until(lambda: any(request.method == "PUT" for request in self.origin.seen("/reload-purged")), "the change is under way")
        gate.set()
        self.assertEqual(put.read().status, 200)
        gate.clear()
        later = self.reload(8, "/reload-purged", among=1) + self.reload(8, "/reload-purged", (), among=1)
        gate.set()
        self.read_newer(first)
        self.read_newer(later[:8])
        self.assertEqual({client.read().status for _, client in later[8:]}, {200})

    def test_is_never_answered_by_what_is_older(self):
        """Many times, mixed with all that may happen meanwhile: other reloads, ordinary requests, changes, clients that leave, and
        answers that are not shared."""
        self.reload_at_random(rounds=60)


class AReloadOverWorkers(AReload):
    WORKERS = 4


class AWait(Scene):
    def test_is_bounded(self):
        with Stage() as stage:
            origin = stage.origin()
            gate = threading.Event()
            origin.on("/slow", lambda call: (call.wait(gate), call.respond(fields=FRESH, body=b"x")) if call.number == 1 else call.respond(fields=FRESH, body=b"x"))
            gateway = stage.gateway(origin, {"server": {"workers": 2}, "cache": {"enabled": True, "flight_wait": "100ms"}})
            first = gateway.client()
            first.ask(target="/slow")
            wait_until(lambda: origin.count("/slow"), "the first asked")
            self.assertEqual(gateway.fetch("/slow").body, b"x")  # though the first request still waits
            reload = gateway.fetch("/slow", [("Cache-Control", "no-cache")])  # this one waits for the end of the first
            self.assertEqual((reload.status, reload.field("X-Cache")), (200, "MISS"))
            gate.set()
            self.assertEqual(first.read().body, b"x")
            first.close()

    def test_for_the_next_fetch_begins_anew(self):
        """No-cache waits for the end of one fetch and for the answer of the next: each of the two may take as long as is configured."""
        with Stage() as stage:
            origin, seconds = stage.origin(), 4
            gates = [threading.Event(), threading.Event()]
            origin.on("/next", lambda call: (call.wait(gates[min(call.number, 2) - 1]), call.respond(fields=FRESH, body=b"%d" % call.number)))
            gateway = stage.gateway(origin, {"server": {"workers": 2}, "cache": {"enabled": True, "flight_wait": "%ds" % seconds}})
            clients = [gateway.client() for _ in range(8)]
            clients[0].ask(target="/next")
            wait_until(lambda: origin.count("/next") == 1, "the first asked")
            for client in clients[1:]:
                client.ask(target="/next", fields=[("Cache-Control", "no-cache")])
            last_came = time.monotonic()
            wait_until(lambda: min(gateway.metric_sum("gateway_requests_in_flight") for _ in range(5)) >= 9, "all wait, beside the one that asks")
            gates[0].set()
            wait_until(lambda: origin.count("/next") == 2, "the next is asked")
            wait_until(lambda: time.monotonic() > last_came + seconds + 0.5, "it takes longer than is waited for one")
            gates[1].set()
            self.assertEqual([client.read().body for client in clients], [b"1"] + [b"2"] * 7)
            self.assertEqual(origin.count("/next"), 2)
            for client in clients:
                client.close()


if __name__ == "__main__":
    main()
