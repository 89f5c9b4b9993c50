"""More clients than file descriptors: no worker spins, waiting clients are served later, and the process ends on a signal."""
import contextlib
import resource
import signal
import socket
import threading
import time

from stage import PATIENCE, Scene, Stage, in_parallel, main, wait_until

UNFINISHED = b"GET / HTTP/1.1\r\nHost: a\r\n"
WAITS = b"new clients wait"


def files_of_its_own(test, count):
    """This process needs so many open files; otherwise the test is skipped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        test.skipTest("only %d file descriptors are allowed here" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    test.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def flood(gateway, count, data=UNFINISHED):
    """So many connections that each send `data`; the kernel completes them, whether or not the gateway accepts them."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.settimeout(PATIENCE)
            client.connect(("127.0.0.1", gateway.port))
            client.sendall(data)
            clients.append(client)
        yield clients


def look_at(clients, idle):
    """Reads what has arrived. A client with an answer is idle until its connection ends. Returns how many are idle."""
    for client in clients:
        client.settimeout(0)
        try:
            while client.recv(65536):
                idle.add(client)
            idle.discard(client)
        except BlockingIOError:
            pass
    return len(idle)


class WithoutDescriptors(Scene):
    def test_a_flood_passes(self):
        for limit in (256, 1024, 4096):
            for workers in (1, 2, 4):
                with self.subTest(limit=limit, workers=workers), Stage() as stage:
                    self.flood_and_end(stage, limit, workers)

    def flood_and_end(self, stage, limit, workers):
        count = limit + 200
        files_of_its_own(self, count + 200)
        config = {"server": {"workers": workers, "max_connections": 100000, "header_timeout": "60s"}}
        gateway = stage.gateway(stage.origin(), config, files=limit)
        wait_until(lambda: b"server.max_connections (100000)" in gateway.errors(), "the start warns")
        with flood(gateway, count):
            wait_until(lambda: WAITS in gateway.errors(), "it tells that clients wait")
            began, before = time.monotonic(), gateway.cpu_s()
            wait_until(lambda: time.monotonic() - began > 1, "a second in which nothing happens")
            took, used = time.monotonic() - began, gateway.cpu_s() - before
            self.assertLess(used, took / 2, "it spins")
            self.assertLess(gateway.files(), limit)
        for _ in range(8):
            self.assertEqual(gateway.fetch("/").status, 200)
        self.assertGreaterEqual(gateway.metric("gateway_accept_waits_total"), 1)
        self.assertLess(gateway.errors().count(WAITS), 20)

    def test_a_flood_that_stays_does_not_keep_the_process(self):
        for workers in (1, 2):
            with self.subTest(workers=workers), Stage() as stage:
                files_of_its_own(self, 1000)
                config = {"server": {"workers": workers, "drain_timeout": "500ms", "header_timeout": "60s"}}
                gateway = stage.gateway(stage.origin(), config, files=256)
                with flood(gateway, 600):
                    wait_until(lambda: WAITS in gateway.errors(), "it tells that clients wait")
                    gateway.stop()
                    stage.actors.remove(gateway)
                    stage.gateways.remove(gateway)

    def test_a_waiting_client_is_served_as_others_leave(self):
        with Stage() as stage:
            files_of_its_own(self, 1000)
            gateway = stage.gateway(stage.origin(), {"server": {"workers": 2, "header_timeout": "60s"}}, files=256)
            with flood(gateway, 400) as clients:
                wait_until(lambda: WAITS in gateway.errors(), "it tells that clients wait")
                answers = []

                def ask():
                    answers.append(gateway.fetch("/").status)

                threads = [threading.Thread(target=ask, daemon=True) for _ in range(20)]
                for thread in threads:
                    thread.start()
                for client in clients:
                    client.close()
                for thread in threads:
                    thread.join(PATIENCE)
                self.assertEqual(answers, [200] * 20)

    def test_idle_connections_make_room(self):
        """Idle kept connections do not make other clients wait until server.idle_timeout."""
        with Stage() as stage:
            files_of_its_own(self, 1000)
            gateway = stage.gateway(stage.origin(), {"server": {"workers": 2, "idle_timeout": "600s"}}, files=256)
            with flood(gateway, 300, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as clients:
                self.assertEqual([client.recv(12) for client in clients], [b"HTTP/1.1 200"] * 300)
                self.assertEqual(gateway.fetch("/").status, 200)

    def test_idle_connections_make_room_also_where_the_loop_is_late(self):
        """A process that seldom gets the processor closes connections that were idle for long, and does not begin a new wait for them."""
        with Stage() as stage:
            files_of_its_own(self, 1000)
            gateway = stage.gateway(stage.origin(), {"server": {"workers": 1, "idle_timeout": "600s"}}, files=256)
            with flood(gateway, 600, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as clients:
                wait_until(lambda: WAITS in gateway.errors(), "it tells that clients wait")
                idle = set()
                wait_until(lambda: look_at(clients, idle) > 20, "some of those who are answered are idle")
                for _ in range(8):
                    if not look_at(list(idle), idle):
                        return
                    for number, seconds in ((signal.SIGSTOP, 1.2), (signal.SIGCONT, 0.1)):
                        gateway.process.send_signal(number)
                        until = time.monotonic() + seconds
                        wait_until(lambda until=until: time.monotonic() > until, "%s for a while" % number.name)
                self.fail("%d are idle still" % look_at(list(idle), idle))

    def test_after_a_flood_idle_connections_are_kept_again(self):
        with Stage() as stage:
            files_of_its_own(self, 1000)
            gateway = stage.gateway(stage.origin(), {"server": {"workers": 2, "header_timeout": "60s"}}, files=256)
            with flood(gateway, 300):
                wait_until(lambda: WAITS in gateway.errors(), "it tells that clients wait")

            def is_kept():  # longer than the time that idle connections have while others wait: a second, by coarse timers
                with gateway.client() as client:
                    client.get("/")
                    client.sock.settimeout(3)
                    try:
                        return bool(client.sock.recv(1))
                    except TimeoutError:
                        return True
            wait_until(is_kept, "an idle connection is kept")

    def test_connections_to_backends_leave_some_for_others(self):
        with Stage() as stage:
            files_of_its_own(self, 1000)
            origins, gate = [stage.origin(), stage.origin()], threading.Event()
            for origin in origins:
                origin.on("/slow", lambda call: (call.wait(gate), call.respond(body=b"slow")))
            gateway = stage.gateway(",".join(origin.url for origin in origins), {"server": {"workers": 2}}, files=256)

            def ask(index):
                return gateway.fetch("/slow?%d" % index).status

            opener = threading.Timer(1, gate.set)
            opener.start()
            statuses = in_parallel(200, ask)
            opener.join()
            self.assertEqual(set(statuses), {200})
            self.assertLess(gateway.files(), 256)

    def test_connections_to_backends_are_kept_for_ever_new_requests(self):
        """If few descriptors are left, idle connections are counted: one that is in use again does not count."""
        with Stage() as stage:
            origin = stage.origin()
            gateway = stage.gateway(origin, {"server": {"workers": 1}}, files=256)
            with gateway.client() as client:
                for _ in range(400):
                    self.assertEqual(client.get("/").status, 200)
            self.assertLess(len(origin.connections), 20)

    def test_too_few_to_start_are_told(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"server": {"workers": 4}}, files=40, ready=False)
            self.assertEqual(gateway.process.wait(PATIENCE), 1)
            self.assertIn(b"the limit of open files", gateway.errors())
            stage.actors.remove(gateway)
            stage.gateways.remove(gateway)
            gateway.lease.release()


if __name__ == "__main__":
    main()
