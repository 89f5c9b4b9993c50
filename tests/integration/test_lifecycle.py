"""Start, drain and stop: no request fails because the gateway ends."""
import collections
import os
import signal
import socket
import threading

from stage import Client, Scene, Stage, Truncated, main, reply, wait_until


class ADrain(Scene):
    def loop(self, gateway, name, results, faults, unanswered):
        """A client that keeps its connection until the gateway says close, and then opens the next, until connecting is refused."""
        asked = 0
        while True:
            try:
                client = Client(gateway.port)
            except (ConnectionRefusedError, ConnectionResetError):
                return
            with client:
                is_new = True
                while True:
                    asked += 1
                    target = "/work?%s-%d" % (name, asked)
                    try:
                        client.ask("POST" if asked % 3 == 0 else "GET", target, [], b"x" * 10 if asked % 3 == 0 else None)
                        answer = client.read()
                    except (Truncated, OSError) as fault:
                        # The kernel resets connections that it takes between the gateway's last accept and the close of the listener: they
                        # never reached the gateway. So such a connection must be new, without a byte of an answer, and the backend has not
                        # seen its request.
                        if is_new and (isinstance(fault, OSError) or fault.message.start == "nothing"):
                            unanswered.append(target)
                        else:
                            faults.append("%s: %r" % (target, fault))
                        break
                    is_new = False
                    results.update([answer.status])
                    if (answer.field("Connection") or "").lower() == "close":
                        results.update(["told"])
                        break

    def test_a_hangup_ends_nothing(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin())
            with gateway.client() as client:
                self.assertEqual(client.get("/").status, 200)
                gateway.process.send_signal(signal.SIGHUP)
                wait_until(lambda: b"SIGHUP" in gateway.errors(), "it is said in the log")
                self.assertEqual(client.get("/").status, 200)

    def test_other_signals_end_nothing(self):
        """USR1 opens log files again; signals that have no meaning here are ignored."""
        ends = {"SIGTERM", "SIGINT", "SIGQUIT", "SIGKILL"}
        faults = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"}
        stops = {"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"}
        known = {number: signal.Signals(number).name for number in signal.valid_signals() if number in set(signal.Signals)}
        numbers = [number for number in range(1, 65) if known.get(number) not in ends | faults | stops]
        self.assertGreater(len(numbers), 45)
        with Stage() as stage:
            gateway = stage.gateway(stage.origin())
            with gateway.client() as client:
                for number in numbers:
                    os.kill(gateway.process.pid, number)
                    self.assertEqual(client.get("/").status, 200, "signal %d" % number)
            self.assertIsNone(gateway.process.poll())

    def test_a_second_signal_ends_it(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGQUIT, signal.SIGINT)):
            with self.subTest(first.name), Stage() as stage:
                origin = stage.origin()
                origin.on("/never", lambda call: call.wait_for_close())
                gateway = stage.gateway(origin, {"server": {"drain_timeout": "600s"}})
                with gateway.client() as never:
                    never.ask(target="/never")
                    wait_until(lambda: origin.count("/never"), "it is in flight")  # pylint: disable=cell-var-from-loop
                    gateway.process.send_signal(first)
                    wait_until(lambda: b"draining" in gateway.errors(), "it drains")  # pylint: disable=cell-var-from-loop
                    gateway.process.send_signal(second)
                    self.assertEqual(gateway.process.wait(30), 0)

    def test_under_load_fails_no_request(self):
        with Stage() as stage:
            origin = stage.origin()
            origin.on("/work", lambda call: call.respond(body=b"y" * 2000))
            gateway = stage.gateway(origin, {"server": {"workers": 2, "drain_timeout": "20s"}})
            results, faults, unanswered = collections.Counter(), [], []
            threads = [threading.Thread(target=self.loop, args=(gateway, name, results, faults, unanswered), daemon=True) for name in range(16)]
            for thread in threads:
                thread.start()
            wait_until(lambda: origin.count("/work") > 300, "there is load")
            gateway.process.send_signal(signal.SIGTERM)
            for thread in threads:
                thread.join(60)
                self.assertFalse(thread.is_alive(), "a client hangs")
            self.assertEqual(gateway.process.wait(30), 0)
            self.assertEqual(faults, [])
            self.assertEqual(set(results) - {200, "told"}, set(), results)
            self.assertGreaterEqual(results["told"], 16, results)
            seen = {request.target for request in origin.seen("/work")}
            self.assertEqual([target for target in unanswered if target in seen], [])

    def test_waits_for_a_request_in_flight_and_tells_its_health(self):
        with Stage() as stage:
            origin, gate = stage.origin(), threading.Event()
            origin.on("/slow", lambda call: (call.wait(gate), call.respond(body=b"at last")))
            gateway = stage.gateway(origin, {"server": {"drain_timeout": "60s"}})
            with gateway.client() as slow, gateway.client() as idle:
                idle.get("/")
                slow.ask(target="/slow")
                wait_until(lambda: origin.count("/slow"), "it is in flight")
                gateway.process.send_signal(signal.SIGTERM)
                wait_until(lambda: self.is_refused(gateway.port), "it stops listening")
                self.assertIsNone(gateway.process.poll())
                gate.set()
                answer = slow.read()
                self.assertEqual((answer.body, answer.field("Connection")), (b"at last", "close"))
            self.assertEqual(gateway.process.wait(30), 0)

    @staticmethod
    def is_refused(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    def test_is_bounded(self):
        with Stage() as stage:
            origin = stage.origin()
            origin.on("/never", lambda call: call.wait_for_close())
            origin.on("/half", lambda call: (call.send(reply(chunked=True)[:-5] + b"3\r\nabc\r\n"), call.wait_for_close()))
            gateway = stage.gateway(origin, {"server": {"drain_timeout": "200ms"}})
            with gateway.client() as never, gateway.client() as half:
                never.ask(target="/never")
                half.ask(target="/half")
                half.read_head()
                wait_until(lambda: origin.count("/never"), "it is in flight")
                gateway.process.send_signal(signal.SIGTERM)
                self.assertEqual(gateway.process.wait(30), 0)
                self.assertNotIn(b"0\r\n\r\n", half.read_rest())  # cut, not ended

    def test_by_sigint_or_sigquit_is_the_same(self):
        for sent in (signal.SIGINT, signal.SIGQUIT):
            with self.subTest(sent.name), Stage() as stage:
                gateway = stage.gateway(stage.origin())
                with gateway.client() as idle:
                    idle.get("/")
                    gateway.process.send_signal(sent)
                    self.assertEqual(gateway.process.wait(30), 0)
                    idle.assert_closed()

    def test_does_not_wait_for_idle_connections(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"server": {"drain_timeout": "60s"}})
            with gateway.client() as silent, gateway.client() as idle:
                idle.get("/")
                gateway.process.send_signal(signal.SIGTERM)
                self.assertEqual(gateway.process.wait(30), 0)
                silent.assert_closed()

    def test_answers_what_was_queued(self):
        """Connections that the kernel completed before the listener closed are served."""
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"server": {"workers": 2, "drain_timeout": "10s"}})
            gateway.process.send_signal(signal.SIGSTOP)
            clients = [gateway.client() for _ in range(20)]
            for client in clients:
                client.ask()
            gateway.process.send_signal(signal.SIGTERM)
            gateway.process.send_signal(signal.SIGCONT)
            self.assertEqual([client.read().status for client in clients], [200] * 20)
            for client in clients:
                client.close()
            self.assertEqual(gateway.process.wait(30), 0)


class AGateway(Scene):
    def test_survives_a_client_that_is_gone_when_it_writes(self):  # SIGPIPE
        with Stage() as stage:
            origin = stage.origin()
            origin.on("/large", body=b"x" * 3000000)
            gateway = stage.gateway(origin)
            for _ in range(20):
                client = gateway.client()
                client.ask(target="/large")
                client.read_head()
                client.reset()
            self.assertEqual(gateway.fetch("/").status, 200)

    def test_listens_on_both_families(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin())
            try:
                client = gateway.client(host="::1")
            except OSError:
                self.skipTest("no IPv6 here")
            with client:
                self.assertEqual(client.get("/").status, 200)

    def test_starts_without_its_backend(self):
        with Stage() as stage:
            gateway = stage.gateway("http://127.0.0.1:1")
            self.assertEqual(gateway.fetch("/").status, 502)


if __name__ == "__main__":
    main()
