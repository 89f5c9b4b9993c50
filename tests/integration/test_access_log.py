"""One line for each request, in JSON or for people. No bytes from a client can forge a line."""
import json
import os
import re
import signal

from stage import Scene, Stage, Truncated, main, reply, wait_until


def content(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


class TheAccessLog(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"limits": {"enabled": True, "rate": "1/h", "burst": 100}, "cache": {"enabled": True}})

    def line(self, path):
        lines = self.gateway.access_log(path=path)
        self.assertEqual(len(lines), 1)
        return lines[0]

    def test_tells_of_a_request(self):
        self.origin.on("/told", body=b"hello")
        answer = self.gateway.fetch("/told?x=1", [("User-Agent", "test/1")])
        line = self.line("/told")
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
        self.assertEqual(line["request_id"], answer.field("X-Request-Id"))
        self.assertEqual((line["client"], line["method"], line["status"], line["user_agent"]), ("127.0.0.1", "GET", 200, "test/1"))
        self.assertEqual((line["bytes_sent"], line["upstream"]), (5, self.origin.url))
        self.assertGreaterEqual(line["duration_ms"], line["upstream_ms"])
        self.assertEqual((line["cache"], line["limit"]), ("miss", "allowed"))

    def test_tells_of_a_hit(self):
        self.gateway.fetch("/hit")
        self.gateway.fetch("/hit")
        first, second = self.gateway.access_log(2, "/hit")
        self.assertEqual((first["cache"], second["cache"]), ("miss", "hit"))
        self.assertNotIn("upstream", second)

    def test_says_why_an_answer_is_not_stored(self):
        self.origin.on("/why/private", fields=[("Cache-Control", "private")])
        self.origin.on("/why/outgrown", fields=[("Cache-Control", "max-age=60")], body=[b"x" * 65536] * 20, chunked=True)
        self.origin.on("/why/chunked", fields=[("Cache-Control", "max-age=60")], body=[b"x"] * 2, chunked=True)
        for path, method, word in (("/why/private", "GET", "private"), ("/why/outgrown", "GET", "too-large"), ("/why/chunked", "GET", None), ("/why/stored", "GET", None),
                                   ("/why/posted", "POST", "method")):
            with self.subTest(path):
                answer = self.gateway.fetch(path, method=method)
                self.assertEqual(self.line(path).get("cache_detail"), word)
                if path == "/why/outgrown":  # the length was not known when the head left
                    self.assertIn("detail=unknown-length", answer.field("Cache-Status"))
                    self.assertNotIn("stored", answer.field("Cache-Status"))
        self.origin.on("/why/known", fields=[("Cache-Control", "max-age=60")], body=b"x" * 100000)
        self.assertRegex(self.gateway.fetch("/why/known").field("Cache-Status"), "; stored")

    def test_tells_no_miss_of_what_was_refused(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"limits": {"enabled": True, "rate": "1/h", "burst": 2}, "cache": {"enabled": True}})
            statuses = [gateway.fetch("/refused", method=method).status for method in ("GET", "GET", "GET", "POST", "HEAD")]
            self.assertEqual(statuses, [200, 200, 429, 429, 429])
            lines = gateway.access_log(5, "/refused")
            self.assertEqual([line.get("cache") for line in lines], ["miss", "hit", None, None, None])
            self.assertFalse([line for line in lines if "cache_detail" in line])
            cache = gateway.stats()["cache"]
            self.assertEqual((cache["hits"], cache["misses"], cache["hit_rate"]), (1, 1, "50.00%"))
            self.assertEqual(gateway.metric_sum("gateway_cache_requests_total"), 2)
            self.assertFalse(gateway.fetch("/refused").has("X-Cache"))

    def test_tells_the_beginning_of_a_long_method(self):
        self.assertEqual(self.gateway.fetch("/long-method", method="M" * 200).status, 200)
        self.assertEqual(self.line("/long-method")["method"], "M" * 64)

    def test_tells_of_an_upload(self):
        self.gateway.fetch("/upload", method="POST", body=b"x" * 1234)
        line = self.line("/upload")
        self.assertEqual((line["method"], line["bytes_received"]), ("POST", 1234))

    def test_tells_of_what_broke(self):
        self.origin.on("/broke", lambda call: (call.send(reply(fields=[("Content-Length", "9")]) + b"abc"), call.close()))
        try:
            self.gateway.fetch("/broke")
        except Truncated:
            pass
        self.assertEqual(self.line("/broke")["error"], "upstream_reset")

    def test_cannot_be_forged(self):
        forged = 'x"}, "status": 777, "\\u0000\\n'
        self.gateway.fetch("/forged?a=%22%7d%0a", [("User-Agent", forged + "\x80\xff\t")])
        line = self.line("/forged")
        self.assertEqual(line["status"], 200)
        self.assertTrue(line["user_agent"].startswith(forged))

    def test_may_be_text_for_people(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"log": {"format": "text"}})
            gateway.fetch("/text")
            wait_until(lambda: b"/text" in gateway.out(), "the line is there")
            line = [line for line in gateway.out().decode().splitlines() if "/text" in line][0]
            self.assertRegex(line, r"GET .*/text.* 200")
            with self.assertRaises(ValueError):
                json.loads(line)

    def test_may_be_off_or_go_to_a_file(self):
        with Stage() as stage:
            path = os.path.join(stage.folder, "access.log")
            quiet = stage.gateway(self.origin, {"log": {"access": "off"}})
            filed = stage.gateway(self.origin, {"log": {"access": path}})
            quiet.fetch("/quiet")
            filed.fetch("/filed")

            def written():
                with open(path, encoding="utf-8") as file:
                    return [line for line in file if "/filed" in line]
            wait_until(written, "the line is in the file")
            self.assertEqual((quiet.out(), filed.out()), (b"", b""))

    def test_is_opened_again_for_logrotate(self):
        for sent in (signal.SIGUSR1, signal.SIGHUP):
            with self.subTest(sent.name), Stage() as stage:
                path = os.path.join(stage.folder, "access.log")
                gateway = stage.gateway(self.origin, {"server": {"workers": 2}, "log": {"access": path}})
                gateway.fetch("/before")
                wait_until(lambda: "/before" in content(path), "the line is there")
                os.rename(path, path + ".1")
                gateway.process.send_signal(sent)
                wait_until(lambda: b"is opened again" in gateway.errors() and os.path.exists(path), "it is opened again")
                for _ in range(4):
                    gateway.fetch("/after")
                wait_until(lambda: content(path).count("/after") == 4, "the lines are in the new file")
                self.assertNotIn("/after", content(path + ".1"))

    def test_a_full_disk_is_told_once_and_so_is_its_end(self):
        with Stage() as stage:
            path = os.path.join(stage.folder, "access.log")
            os.symlink("/dev/full", path)
            gateway = stage.gateway(self.origin, {"log": {"access": path}})
            for _ in range(20):
                gateway.fetch("/lost")
            wait_until(lambda: gateway.metric('gateway_log_lines_dropped_total{reason="disk_full"}') == 20, "the lines are counted")
            self.assertEqual(gateway.metric('gateway_log_lines_dropped_total{reason="slow"}'), 0)
            self.assertEqual(gateway.errors().count(b"No space left on device"), 1, gateway.errors())
            os.unlink(path)
            gateway.process.send_signal(signal.SIGUSR1)
            wait_until(lambda: b"is opened again" in gateway.errors(), "it is opened again")
            gateway.fetch("/found")
            wait_until(lambda: "/found" in content(path), "the line is there")
            wait_until(lambda: b"20 lines were lost" in gateway.errors(), "the end is told")

    def test_lines_are_whole_under_load(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"server": {"workers": 2}})
            with gateway.client() as one, gateway.client() as two:
                for _ in range(250):
                    for client in (one, two):
                        client.ask(target="/load?" + "x" * 200)
                    one.read()
                    two.read()
            lines = gateway.access_log(500, "/load")
            self.assertEqual((len(lines), len({line["request_id"] for line in lines})), (500, 500))
            self.assertTrue(all(re.match(rb"\{.*\}$", line) for line in gateway.out().splitlines()))


if __name__ == "__main__":
    main()
