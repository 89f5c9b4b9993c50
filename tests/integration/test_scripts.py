"""The scripts that people use to start things. A script ends with the status of the process that it started, is not fooled by other
servers, and leaves no process and no file."""
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from stage import BINARY, PATIENCE, ROOT, Origin, Port, clean_environment, main, wait_until


def members(session):
    """Command lines of the processes of this session."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid, "rb") as file:
                state, _, _, sid = file.read().rpartition(b")")[2].split()[:4]
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                command = file.read().replace(b"\0", b" ").decode()
        except OSError:
            continue  # the process ended meanwhile
        if int(sid) == session and state != b"Z":
            found.append(command)
    return found


class Script(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="visara-gateway-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, name, arguments=(), **environment):
        variables = clean_environment(VISARA_GATEWAY=BINARY, TMPDIR=self.folder, **environment)
        process = subprocess.Popen([os.path.join(ROOT, "scripts", name), *arguments], env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.kill, process)
        return process

    def kill(self, process):
        if process.poll() is None:
            process.kill()
            process.wait()
        self.expect_nothing_left(process)

    def expect_nothing_left(self, process):
        wait_until(lambda: not members(process.pid), "nothing is left: %s" % members(process.pid))

    def read_until(self, process, words):
        text = ""
        for line in process.stdout:
            text += line
            if words in line:
                return text
        raise AssertionError("ended without saying %r: %s" % (words, text))


class Run(Script):
    def setUp(self):
        super().setUp()
        self.origin = Origin()
        self.addCleanup(self.origin.stop)

    def test_ends_with_the_status_of_a_start_that_failed(self):
        for environment, words in (({"GATEWAY_PORT": "x"}, "environment GATEWAY_PORT"), ({"GATEWAY_LOG_ACCESS": "/no/such/folder/log"}, "GATEWAY_LOG_ACCESS")):
            process = self.start("run", BACKEND_URL=self.origin.url, **environment)
            out = process.communicate(timeout=PATIENCE)[0]
            self.assertEqual(process.returncode, 1, out)
            self.assertIn(words, out)
            self.assertNotIn("Gateway: http", out)

    def test_is_not_fooled_by_another_server_on_the_port(self):
        stranger = self.origin.port
        process = self.start("run", BACKEND_URL="http://127.0.0.1:9", GATEWAY_PORT=stranger)
        out = process.communicate(timeout=PATIENCE)[0]
        self.assertEqual(process.returncode, 1, out)
        self.assertIn(str(stranger), out)
        self.assertNotIn("Gateway: http", out)

    def test_tells_the_port_of_flags_and_ends_well_on_a_signal(self):
        port = Port()
        for number, status in ((signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGHUP, 0)):
            process = self.start("run", ["--port", str(port.number)], BACKEND_URL=self.origin.url)
            self.read_until(process, "Gateway: http://localhost:%d" % port.number)
            if number == signal.SIGINT:
                os.killpg(process.pid, number)  # as a terminal does
            else:
                process.send_signal(number)
            out = process.communicate(timeout=PATIENCE)[0]
            self.assertEqual(process.returncode, status, out)
            self.expect_nothing_left(process)
        port.release()

    def test_takes_the_gateway_with_it_when_killed(self):
        port = Port()
        process = self.start("run", BACKEND_URL=self.origin.url, GATEWAY_PORT=port.number)
        self.read_until(process, "Gateway: http")
        process.kill()
        process.wait()
        self.expect_nothing_left(process)
        port.release()


@unittest.skipUnless(shutil.which("nginx") and shutil.which("redis-server"), "nginx or redis-server is not installed")
class Demo(Script):
    def check(self, number, leaves_files=False):
        process = self.start("demo")
        self.read_until(process, "Ctrl-C stops all of it.")
        self.assertGreater(len(members(process.pid)), 6)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        self.expect_nothing_left(process)
        if not leaves_files:
            self.assertEqual((process.returncode, os.listdir(self.folder)), (0, []))

    def test_leaves_nothing_at_sigterm(self):
        self.check(signal.SIGTERM)

    def test_leaves_nothing_at_a_closed_terminal(self):
        self.check(signal.SIGHUP)

    def test_leaves_nothing_at_ctrl_c(self):
        self.check(signal.SIGINT)

    def test_leaves_no_process_when_killed(self):
        self.check(signal.SIGKILL, leaves_files=True)


if __name__ == "__main__":
    main()
