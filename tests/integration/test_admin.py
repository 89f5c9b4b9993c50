"""/gateway/health, /gateway/stats and /gateway/metrics."""
import re
import subprocess
import threading

from stage import Port, Scene, Stage, fetch, main, wait_until

NAMED = ("gateway_uptime_seconds", "gateway_requests_total", "gateway_requests_success", "gateway_requests_error", "gateway_bytes_transferred",
         "gateway_memory_alloc_bytes", "gateway_active_connections", "gateway_success_rate")


class Pages(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"server": {"workers": 2}, "limits": {"enabled": True, "rate": "10/s", "burst": 1000}, "cache": {"enabled": True}})
        cls.origin.on("/500", status=500)
        cls.origin.on("/404", status=404)

    def test_health_is_ok_while_it_can_serve(self):
        self.gateway.fetch("/")
        answer = self.gateway.fetch("/gateway/health")
        self.assertEqual((answer.status, answer.field("Content-Type")), (200, "application/json"))
        told = answer.json()
        self.assertEqual(told["status"], "ok")
        self.assertIn("redis", told)
        self.assertEqual(told["backends"][0]["url"], self.origin.url)

    def test_health_is_degraded_where_a_backend_is_down(self):
        port = Port()
        with Stage() as stage:
            gateway = stage.gateway("http://127.0.0.1:%d" % port.number)
            self.assertEqual(gateway.fetch("/").status, 502)
            answer = gateway.fetch("/gateway/health")
            self.assertEqual((answer.status, answer.json()["status"]), (200, "degraded"))
        port.release()

    def test_stats_show_the_counts(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"limits": {"enabled": True}, "cache": {"enabled": True}})
            told = gateway.stats()
            self.assertEqual(told["request_count"], 0)
            for target in ("/", "/", "/", "/500", "/404"):
                gateway.fetch(target)
            told = gateway.stats()
            self.assertEqual((told["request_count"], told["error_count"], told["success_rate"]), (5, 1, "80.00%"))
            self.assertEqual((told["cache_enabled"], told["rate_limit"]), (True, "10 req/sec per IP"))
            self.assertIn(self.origin.url, told["backend"])
            self.assertRegex(told["uptime"], r"^(\d+h)?(\d+m)?\d+s$")
            self.assertRegex(told["version"], r"^\d+\.\d+\.\d+")
            self.assertEqual((told["cache"]["hits"], told["cache"]["stores"], told["limiter"]["allowed"]), (2, 1, 5))

    def test_metrics_are_what_promtool_accepts(self):
        for target in ("/", "/500", "/404", "/"):
            self.gateway.fetch(target)
            self.gateway.fetch(target, method="BREW")
        page = self.gateway.fetch("/gateway/metrics")
        self.assertRegex(page.field("Content-Type"), r"^text/plain; version=0\.0\.4")
        checked = subprocess.run(["promtool", "check", "metrics"], input=page.body, capture_output=True, check=False)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""))

    def test_metrics_have_the_families_that_are_promised(self):
        page = self.gateway.fetch("/gateway/metrics").body.decode()
        for name in NAMED + ("gateway_build_info", "gateway_request_duration_seconds", "gateway_upstream_duration_seconds", "gateway_requests_in_flight",
                             "gateway_cache_requests_total", "gateway_cache_bytes", "gateway_limiter_decisions_total", "gateway_responses_total"):
            with self.subTest(name):
                self.assertRegex(page, r"(?m)^# TYPE %s " % name)

    def test_metrics_count(self):
        def counts():
            return [self.gateway.metric_sum(family, **labels) for family, labels in (
                ("gateway_requests_total", {}), ("gateway_requests_success", {}), ("gateway_requests_error", {}), ("gateway_request_duration_seconds_count", {}),
                ("gateway_cache_requests_total", {"result": "hit"}), ("gateway_limiter_decisions_total", {}))]
        before = counts()
        for target in ("/metrics-count", "/metrics-count", "/500"):
            self.gateway.fetch(target)
        self.assertEqual([after - earlier for after, earlier in zip(counts(), before)], [3, 2, 1, 3, 1, 3])

    def test_metrics_have_bounded_labels(self):
        series = lambda: len(self.gateway.fetch("/gateway/metrics").body.splitlines())
        answered = self.gateway.metric_sum("gateway_responses_total")
        for method in ("GET", "AAA", "POST"):
            self.gateway.fetch("/bounded", method=method)
        # an answer is counted after it has been written
        wait_until(lambda: self.gateway.metric_sum("gateway_responses_total") >= answered + 3, "all three are counted")
        before = series()
        for number in range(30):
            self.gateway.fetch("/bounded/%d?%d" % (number, number), [("X-%d" % number, "x")], "M%d" % number)
        self.assertEqual(series(), before)

    def test_requests_in_flight_return_to_zero(self):
        gate = threading.Event()
        self.origin.on("/flight", lambda call: (call.wait(gate), call.respond(fields=[("Cache-Control", "no-store")])))
        idle = self.gateway.metric_sum("gateway_requests_in_flight")
        clients = [self.gateway.client() for _ in range(5)]
        for number, client in enumerate(clients):
            client.ask(target="/flight?%d" % number)
        wait_until(lambda: self.gateway.metric_sum("gateway_requests_in_flight") == idle + 5, "five are in flight")
        gate.set()
        for client in clients:
            client.read()
            client.close()
        wait_until(lambda: self.gateway.metric_sum("gateway_requests_in_flight") == idle, "none is in flight")

    def test_are_neither_proxied_nor_counted(self):
        before = self.gateway.stats()["request_count"], self.origin.count()
        for target in ("/gateway/health", "/gateway/stats", "/gateway/metrics", "/gateway/nothing-here", "/gateway/"):
            answer = self.gateway.fetch(target)
            self.assertEqual(answer.status, 404 if target in ("/gateway/nothing-here", "/gateway/") else 200)
            self.assertIn(answer.field("X-Cache"), (None, "BYPASS"))
        self.assertEqual((self.gateway.stats()["request_count"], self.origin.count()), before)

    def test_answer_get_and_head_only(self):
        for method in ("POST", "PUT", "DELETE"):
            answer = self.gateway.fetch("/gateway/health", method=method)
            self.assertEqual(answer.status, 405)
            self.assertEqual(sorted(re.split(r",\s*", answer.field("Allow"))), ["GET", "HEAD"])  # RFC 9110 §15.5.6
        head = self.gateway.fetch("/gateway/health", method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))

    def test_what_only_begins_like_them_is_proxied(self):
        for target in ("/gatewayx", "/gateways/health", "/Gateway/health"):
            self.assertEqual(self.gateway.fetch(target).body, b"origin")

    def test_cannot_be_reached_around_the_corner(self):
        """The path must not reach a page by a reading that only a backend would use (dots resolved, or decoded): none of these shows the
        pages."""
        for target in ("/x/../gateway/stats", "/%67ateway/stats", "//gateway/stats", "/./gateway/stats"):
            self.assertNotIn(b"request_count", self.gateway.fetch(target).body, target)

    def test_can_move_to_a_port_of_their_own(self):
        port = Port()
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"admin": {"listen": "127.0.0.1:%d" % port.number}})
            self.assertEqual(fetch(port.number, "/gateway/stats").status, 200)
            self.assertNotEqual(fetch(port.number, "/anything").body, b"origin")
            self.assertNotIn(b"request_count", gateway.fetch("/gateway/stats").body)
        port.release()


if __name__ == "__main__":
    main()
