"""Flags, environment, file and defaults; and how a mistake is reported: one line, and a status that is not 0."""
import json
import os
import socket
import subprocess
import tempfile
import unittest

from stage import BINARY, PATIENCE, Port, Scene, Stage, clean_environment, main, wait_until


def run(arguments=(), environment=None, text=None):
    """Status, stdout and stderr of a gateway that is expected to end by itself."""
    with tempfile.TemporaryDirectory(prefix="visara-gateway-test-") as folder:
        command = [BINARY] + list(arguments)
        if text is not None:
            path = os.path.join(folder, "gateway.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            command += ["--config", path]
        done = subprocess.run(command, env=clean_environment(**(environment or {})), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


class AMistake(unittest.TestCase):
    def told(self, *words, status=None, **how):
        code, out, error = run(**how)
        self.assertNotEqual(code, 0, (out, error))
        self.assertGreater(code, 0, "it crashed: %s" % error)
        self.assertEqual(len(error.strip().splitlines()), 1, "not one line: %r" % error)
        for word in words:
            self.assertIn(word, error)
        if status is not None:
            self.assertEqual(code, status)
        return error

    def test_in_the_file_is_told_with_its_line_and_key(self):
        for text, words in (
            ('{\n "server": {\n  "port": "eighty"\n }\n}', ["gateway.json:3", "server.port"]),
            ('{\n "server": {\n  "port": 70000\n }\n}', ["gateway.json:3", "server.port", "65535"]),
            ('{\n "server": {\n  "prot": 80\n }\n}', ["gateway.json:3", "prot"]),
            ('{\n "sever": {}\n}', ["gateway.json:2", "sever"]),
            ('{\n "limits": {"rate": "fast"}\n}', ["gateway.json:2", "limits.rate", "fast"]),
            ('{\n "limits": {"burst": 1, "cost": 2}\n}', ["limits.cost"]),
            ('{\n "backend": {"url": "ftp://x"}\n}', ["gateway.json:2", "backend.url", "ftp://x"]),
            ('{\n "backend": {"url": []}\n}', ["backend.url"]),
            ('{\n "cache": {"enabled": "yes"}\n}', ["gateway.json:2", "cache.enabled"]),
            ('{\n "cache": {"default_ttl": -1}\n}', ["cache.default_ttl"]),
            ('{\n "cache": {"ttl": 0}\n}', ["gateway.json:2", "cache.ttl", "or off"]),
            ('{\n "cache": {"near_bytes": 0}\n}', ["gateway.json:2", "cache.near_bytes", "redis.url"]),
            ('{\n "cache": {"flight": "worker"}\n}', ["cache.flight", "worker", "instances"]),
            ('{\n "cache": {"bypass_paths": ["/a", "b"]}\n}', ["gateway.json:2", "cache.bypass_paths[1]", "begins with /"]),
            ('{\n "cache": {"ignore_query": ["*_id"]}\n}', ["cache.ignore_query[0]", "*_id"]),
            ('{\n "routes": [{"name": "x", "cache_bypass_cookies": ["a=b"]}]\n}', ["routes[0].cache_bypass_cookies[0]", "a=b"]),
            ('{\n "routes": [{"path": "/x"}]\n}', ["name"]),
            ('{\n "cors": {"origins": ["*"], "credentials": true}\n}', ["cors."]),
            ('{\n "server": {"trusted_proxies": ["10.0.0.0/33"]}\n}', ["server.trusted_proxies", "10.0.0.0/33"]),
            ('{\n "log": {"level": "loud"}\n}', ["log.level", "loud"]),
            ('{\n "server": {"port": 80,}\n}', ["gateway.json"]),
            ('', ["gateway.json"]),
            ('[]', ["gateway.json"]),
        ):
            with self.subTest(text):
                self.told(*words, text=text)
                self.told(*words, text=text, arguments=["--check-config"])

    def test_in_the_environment_is_told_with_its_name(self):
        for name, value in (("GATEWAY_PORT", "0"), ("GATEWAY_PORT", "http"), ("RATE_LIMIT_RATE", "10/fortnight"), ("RATE_LIMIT_BURST", "-1"), ("CACHE_TTL", "soon"),
                            ("TRUSTED_PROXIES", "localhost"), ("LOG_LEVEL", "loud"), ("GATEWAY_WORKERS", "1000"), ("BACKEND_URL", "localhost:8000")):
            with self.subTest("%s=%s" % (name, value)):
                self.told(name, value, environment={name: value})

    def test_in_the_token_is_told_without_it(self):
        for token in ("Se-cret-Se-cret", "Se-cret-Se-cret Se-cret", "Se-cret" * 100):
            for how in ({"environment": {"GATEWAY_ADMIN_TOKEN": token}}, {"arguments": ["--admin.token", token]}, {"text": json.dumps({"admin": {"token": token}})}):
                with self.subTest(how):
                    self.assertNotIn("Se-cret", self.told(**how))
        self.assertNotIn("Se-cret", self.told("gateway.json", text='{"admin": {"token": Se-cret-Se-cret-Se-cret}}'))

    def test_in_a_flag_is_told(self):
        for arguments, words in ((["--port", "x"], ["--port", "x"]), (["--no-such-flag"], ["--no-such-flag"]), (["--port"], ["--port"]), (["stray"], ["stray"]),
                                 (["--config", "/no/such/file"], ["/no/such/file"])):
            with self.subTest(arguments):
                self.told(*words, arguments=arguments)

    def test_of_a_port_in_use_is_told(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            self.told(port, arguments=["--port", port])

    def test_of_an_address_that_is_not_ours_is_told(self):
        self.told("192.0.2.1", text='{"server": {"host": "192.0.2.1"}}', arguments=["--port", "18080"])

    def test_of_an_access_log_that_cannot_be_opened_is_told(self):
        port = Port()
        self.told("/no/such/folder/access.log", text='{"log": {"access": "/no/such/folder/access.log"}}', arguments=["--port", str(port.number)])
        port.release()


class AWarning(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()

    text = json.dumps({"limits": {"by": "header:X-Api-Key"}, "server": {"trusted_proxies": ["0.0.0.0/0"]}})

    def test_stops_nothing_and_is_told_by_the_check(self):
        code, out, error = run(["--check-config"], text=self.text)
        self.assertEqual((code, out), (0, "visara-gateway: the configuration is valid, with 2 warnings\n"))
        first, second = error.splitlines()
        for line, words in ((first, ["warning: ", "gateway.json:1: limits.by", "X-Api-Key", '"by": "ip"']), (second, ["server.trusted_proxies[0]", "0.0.0.0/0"])):
            for word in words:
                self.assertIn(word, line)

    def test_is_told_beside_mistakes_and_not_where_all_is_well(self):
        self.assertEqual(run(["--check-config"]), (0, "visara-gateway: the configuration is valid\n", ""))
        code, _, error = run(["--check-config"], text='{"routes": [{"name": "a", "methods": ["GTE"], "path": "/a*"}], "cache": {"ttl": 0}}')
        self.assertEqual((code, len(error.splitlines())), (1, 3), error)
        for word in ('did you mean "GET"?', '"/a" matches', "cache.ttl"):
            self.assertIn(word, error)

    def test_is_logged_by_the_start(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"limits": {"enabled": True, "by": "header:X-Api-Key"}})
            wait_until(lambda: b"nobody checks this field" in gateway.errors(), "the warning is logged")

    def test_names_a_pair_that_closes_the_hole(self):
        limits = {"rate": "1/h", "burst": 1, "by": "header:X-Api-Key"}
        address = {"name": "address", "rate": "1/h", "burst": 5, "by": "ip"}
        with Stage() as stage:
            for policies, passed in (([], 9), ([address], 5)):
                gateway = stage.gateway(self.origin, {"limits": dict(limits, enabled=True, policies=policies)})
                statuses = [gateway.fetch("/", [("X-Api-Key", "key-%d" % i)]).status for i in range(9)]
                self.assertEqual(statuses.count(200), passed, statuses)


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="visara-gateway-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def test_that_cannot_be_used_are_all_told(self):
        no_pem = self.path("text", "no certificate\n")
        text = json.dumps({"backend": {"url": "https://a.test", "tls_ca_file": self.path("missing")}, "redis": {"url": "redis://a.test", "tls_ca_file": no_pem},
                           "log": {"access": self.path("nowhere") + "/access.log"}})
        for arguments in (["--check-config"], []):
            code, _, error = run(arguments, text=text)
            lines = [line for line in error.splitlines() if "warning:" not in line]
            self.assertEqual((code, len(lines)), (1, 3), error)
            for line, words in zip(lines, (["backend.tls_ca_file", "No such file"], ["redis.tls_ca_file", "certificate"], ["log.access", "No such file"])):
                for word in words:
                    self.assertIn(word, line)

    def test_that_can_be_used_are_not_made_by_the_check(self):
        log = self.path("access.log")
        pem = self.path("ca.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
        text = json.dumps({"backend": {"url": "https://a.test", "tls_ca_file": pem}, "log": {"access": log}})
        self.assertEqual(run(["--check-config"], text=text), (0, "visara-gateway: the configuration is valid\n", ""))
        self.assertFalse(os.path.exists(log))
        code, _, error = run(["--check-config", "--log.access", self.folder])
        self.assertEqual((code, "Is a directory" in error), (1, True), error)

    def test_hold_secrets(self):
        url, token = self.path("url", "redis://:Se-cret@a.test\n"), self.path("token", "Se-cret-Se-cret-1\r\n")
        code, out, error = run(["--print-config"], environment={"REDIS_URL_FILE": url, "GATEWAY_ADMIN_TOKEN_FILE": token, "GATEWAY_CACHE_REDIS_URL_FILE": url})
        self.assertEqual((code, error), (0, ""))
        told = json.loads(out)
        self.assertEqual((told["redis"]["url"], told["cache"]["redis_url"], told["admin"]["token"]), ("redis://***@a.test", "redis://***@a.test", "***"))

    def test_of_secrets_that_are_wrong_are_told_without_them(self):
        wrong, empty = self.path("wrong", "Se-cret Se-cret Se-cret\n"), self.path("empty", "\n")
        for environment, words in (({"GATEWAY_ADMIN_TOKEN_FILE": wrong}, ["environment GATEWAY_ADMIN_TOKEN_FILE", "visible ASCII"]),
                                   ({"REDIS_URL_FILE": empty}, ["environment REDIS_URL_FILE", empty, "it is empty"]),
                                   ({"REDIS_URL_FILE": self.path("missing")}, ["environment REDIS_URL_FILE", "No such file"]),
                                   ({"REDIS_URL_FILE": self.folder}, ["environment REDIS_URL_FILE", "directory"]),
                                   ({"REDIS_URL_FILE": self.path("big", "x" * 5000)}, ["REDIS_URL_FILE", "4096"]),
                                   ({"REDIS_URL_FILE": wrong, "REDIS_URL": "redis://a.test"}, ["REDIS_URL_FILE", "is set, too"]),
                                   ({"GATEWAY_PORT_FILE": wrong}, ["GATEWAY_PORT_FILE", "only secrets"])):
            with self.subTest(environment):
                code, _, error = run(["--check-config"], environment=environment)
                self.assertEqual((code, len(error.splitlines())), (1, 1), error)
                for word in words:
                    self.assertIn(word, error)
                self.assertNotIn("Se-cret", error)


class Health(Scene):
    def test_is_asked_where_the_configuration_says(self):
        with Stage() as stage:
            origin = stage.origin()
            port = Port()
            admin = "127.0.0.1:%d" % port.number
            gateway = stage.gateway(origin, {"admin": {"listen": admin}}, ready=False)
            gateway.wait_until_ready(port.number, "/gateway/health")
            config = {"server": {"port": gateway.port, "host": "127.0.0.1"}, "admin": {"listen": admin}}
            self.assertEqual(run(["healthcheck"], text=json.dumps(config)), (0, "", ""))
            self.assertEqual(run(["healthcheck"], environment={"GATEWAY_ADMIN_LISTEN": "0.0.0.0:%d" % port.number})[0], 0)
            code, _, error = run(["healthcheck", "--port", str(gateway.port)])  # on that port the path belongs to the backend: 404
            self.assertEqual((code, "answered 404" in error), (1, True), error)
            port.release()

    def test_is_asked_on_the_client_port_by_flag_or_variable(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin())
            self.assertEqual(run(["healthcheck"], environment={"GATEWAY_PORT": gateway.port}), (0, "", ""))
            self.assertEqual(run(["healthcheck", "--port=%d" % gateway.port], environment={"http_proxy": "http://127.0.0.1:9"}), (0, "", ""))

    def test_says_why_it_is_bad(self):
        port = Port()
        code, out, error = run(["healthcheck", "--port", str(port.number)])
        self.assertEqual((code, out, len(error.splitlines())), (1, "", 1), error)
        self.assertIn("http://127.0.0.1:%d/gateway/health" % port.number, error)
        for host, shown in (("::1", "[::1]"), ("::", "[::1]"), ("0.0.0.0", "127.0.0.1")):
            self.assertIn("http://%s:%d/gateway/health" % (shown, port.number), run(["healthcheck"], text=json.dumps({"server": {"host": host, "port": port.number}}))[2])
        code, _, error = run(["healthcheck", "--port", "x"])
        self.assertEqual((code, "--port" in error), (1, True), error)
        with socket.create_server(("127.0.0.1", port.number)):  # takes connections and sends nothing
            code, _, error = run(["healthcheck", "--port", str(port.number)])
            self.assertEqual((code, "timed out" in error.lower()), (1, True), error)
        port.release()


class Sources(Scene):
    def printed(self, **how):
        code, out, error = run(**dict(how, arguments=["--print-config"] + list(how.get("arguments", ()))))
        self.assertEqual((code, error), (0, ""))
        return json.loads(out)

    def test_flags_come_before_environment_before_file_before_defaults(self):
        text = '{"server": {"port": 1001}, "limits": {"burst": 31}, "log": {"level": "warn"}}'
        environment = {"GATEWAY_PORT": 1002, "RATE_LIMIT_BURST": 32}
        told = self.printed(text=text, environment=environment, arguments=["--port", "1003"])
        self.assertEqual((told["server"]["port"], told["limits"]["burst"], told["log"]["level"], told["cache"]["default_ttl"]), (1003, 32, "warn", "300s"))

    def test_the_file_may_be_named_by_the_environment(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"server": {"port": 1001}}')
            file.flush()
            self.assertEqual(self.printed(environment={"GATEWAY_CONFIG": file.name})["server"]["port"], 1001)

    def test_what_is_printed_can_be_loaded_again(self):
        text = '{"routes": [{"name": "a", "path": "/a", "backend": ["http://127.0.0.1:1"]}], "limits": {"rate": "10/min"}, "server": {"trusted_proxies": ["10.0.0.0/8"]}}'
        first = self.printed(text=text)
        self.assertEqual(self.printed(text=json.dumps(first)), first)

    def test_what_is_left_out_is_printed_so_and_loads_again(self):
        text = {"cache": {"ttl": "1m", "bypass_paths": ["/me"], "ignore_query": ["utm_*"]}, "routes": [{"name": "a", "path": "/a", "cache_ttl": "off", "cache_ignore_query": []}]}
        first = self.printed(text=json.dumps(text))
        self.assertEqual((first["cache"]["ttl"], first["cache"]["ignore_query"], first["routes"][0]["cache_ttl"]), ("60s", ["utm_*"], "off"))
        self.assertEqual(self.printed(text=json.dumps(first)), first)
        self.assertEqual((self.printed()["cache"]["ttl"], self.printed()["cache"]["flight"]), ("off", "instances"))

    def test_the_token_is_masked_and_its_mask_is_none(self):
        told = self.printed(environment={"GATEWAY_ADMIN_TOKEN": "Se-cret-Se-cret-Se-cret"})
        self.assertEqual(told["admin"]["token"], "***")
        code, _, error = run(["--check-config"], text=json.dumps(told))
        self.assertNotEqual(code, 0)
        self.assertIn("admin.token", error)

    def test_all_variables_that_always_work_work(self):
        told = self.printed(environment={"BACKEND_URL": "http://a.test:1,http://b.test:2", "GATEWAY_PORT": 1234, "RATE_LIMIT_RATE": "5/min", "RATE_LIMIT_BURST": 7,
                                         "CACHE_TTL": "60", "TRUSTED_PROXIES": "10.0.0.0/8,::1", "LOG_LEVEL": "debug", "GATEWAY_WORKERS": 3})
        self.assertEqual(told["backend"]["url"], ["http://a.test:1", "http://b.test:2"])
        self.assertEqual((told["server"]["port"], told["server"]["workers"], told["limits"]["burst"], told["log"]["level"]), (1234, 3, 7, "debug"))

    def test_check_config_opens_no_port_and_says_that_all_is_well(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.assertEqual(run(["--check-config", "--port", str(taken.getsockname()[1])])[0], 0)

    def test_version_and_help(self):
        code, out, _ = run(["--version"])
        self.assertEqual(code, 0)
        self.assertRegex(out, r"\d+\.\d+\.\d+")
        code, out, _ = run(["--help"])
        self.assertEqual(code, 0)
        for word in ("--config", "--check-config", "--print-config", "--port", "BACKEND_URL", "GATEWAY_PORT"):
            self.assertIn(word, out)

    def test_the_reference_is_what_the_table_says(self):
        code, out, _ = run(["--print-config-docs"])
        self.assertEqual(code, 0)
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        with open(os.path.join(root, "docs", "configuration.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), out, "run `make docs`")

    def test_workers_are_threads(self):
        with Stage() as stage:
            origin = stage.origin()
            one, four = (stage.gateway(origin, {"server": {"workers": workers}}) for workers in (1, 4))
            wait_until(lambda: four.threads() - one.threads() == 3, "all workers run")


if __name__ == "__main__":
    main()
