"""The whole product in front of the example backend: what README shows."""
import re
import time

from stage import Scene, Stage, in_parallel, main


class TheExample(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.example = stage.example()
        cls.gateway = stage.gateway(cls.example, {"server": {"workers": 2}, "cache": {"enabled": True}, "limits": {"enabled": True, "rate": "1000/s", "burst": 1000}})

    def test_reports_miss_and_then_hit_with_age(self):
        with Stage() as stage:
            gateway = stage.gateway(self.example, {"cache": {"enabled": True}, "limits": {"enabled": True}})
            first, second = gateway.fetch("/reports"), gateway.fetch("/reports")
            self.assertEqual([first.field("X-Cache"), second.field("X-Cache")], ["MISS", "HIT"])
            self.assertRegex(second.field("Age"), r"^\d+$")
            self.assertEqual(first.json(), second.json())

    def test_25_quick_requests_meet_the_limit(self):
        with Stage() as stage:
            gateway = stage.gateway(self.example, {"cache": {"enabled": True}, "limits": {"enabled": True}})
            began = time.monotonic()
            answers = [gateway.fetch("/reports") for _ in range(25)]
            took = time.monotonic() - began
            allowed = [answer.status for answer in answers].count(200)
            self.assertTrue(20 <= allowed <= 21 + 10 * took, "%d were allowed within %.2f s" % (allowed, took))
            self.assertTrue(all(answer.has("Retry-After") for answer in answers if answer.status == 429))
            self.assertEqual(gateway.stats()["request_count"], 25)

    def test_reports_can_be_made_changed_and_removed(self):
        made = self.gateway.fetch("/reports", method="POST", body=b'{"title": "New"}', fields=[("Content-Type", "application/json")])
        self.assertEqual(made.status, 201)
        path = made.field("Location")
        self.assertEqual(self.gateway.fetch(path).json()["title"], "New")
        self.assertEqual(self.gateway.fetch(path, method="PUT", body=b'{"title": "Changed"}').status, 200)
        self.assertEqual(self.gateway.fetch(path).json()["title"], "Changed")  # the PUT made the stored answer invalid
        self.assertEqual(self.gateway.fetch(path, method="DELETE").status, 204)
        self.assertEqual(self.gateway.fetch(path).status, 404)

    def test_a_report_has_a_validator(self):
        etag = self.gateway.fetch("/reports/1").field("ETag")
        answer = self.gateway.fetch("/reports/1", [("If-None-Match", etag)])
        self.assertEqual((answer.status, answer.field("X-Cache")), (304, "HIT"))

    def test_a_stream_comes_in_pieces(self):
        answer = self.gateway.fetch("/stream?pieces=3&seconds=0.01")
        self.assertEqual(answer.body, b"piece 1\npiece 2\npiece 3\n")
        self.assertEqual(answer.field("X-Cache"), "MISS")

    def test_the_echo_shows_what_the_backend_sees(self):
        seen = self.gateway.fetch("/echo?a=b", method="PUT", body=[b"x" * 1000] * 50, chunked=True).json()
        fields = dict(map(tuple, seen["headers"]))
        self.assertEqual((seen["method"], seen["query"], seen["body_length"]), ("PUT", "a=b", 50000))
        self.assertEqual(fields["x-forwarded-for"], "127.0.0.1")
        self.assertRegex(fields["via"], r"^1\.1 ")

    def test_a_cold_slow_report_is_asked_for_once(self):
        answers = in_parallel(30, lambda _: self.gateway.fetch("/slow?seconds=0.3"))
        self.assertEqual({answer.status for answer in answers}, {200})
        asked = [line for line in self.gateway.access_log(30, "/slow") if line.get("upstream")]
        self.assertEqual(len(asked), 1)

    def test_health_is_the_gateways_own_and_the_backends(self):
        self.assertEqual(self.gateway.fetch("/gateway/health").json()["status"], "ok")
        self.assertEqual(self.gateway.fetch("/health").json(), {"status": "ok"})
        self.assertTrue(re.search(rb"gateway_uptime_seconds \d", self.gateway.fetch("/gateway/metrics").body))


if __name__ == "__main__":
    main()
