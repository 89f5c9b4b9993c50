"""A tap between gateways and Redis: it notes the commands of requests, and the replies of Redis.

    tap = Tap(redis); redis.url of the gateway: tap.url
    tap.seen       (when, which write of which connection, words) of each command about a limit, a response or a lock
    tap.answered   bytes of each reply to these

Commands that are not about a request (polls, signs of life, client tracking) are left out."""
import collections
import re
import socket
import threading
import time

OF_REQUESTS = re.compile(rb"\w+:(?:rl|cache|lock):")


class Tap:
    def __init__(self, redis):
        """An actor of stage.Stage, or closed by stop()."""
        self.redis, self.seen, self.answered, self.writes = redis, [], [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "redis://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.sockets, self.lock = [self.listener], threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def clear(self):
        with self.lock:
            del self.seen[:], self.answered[:]

    def stop(self):
        for sock in self.sockets:
            sock.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection((self.redis.host, self.redis.port))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets += [client, server]
            link = Link(self)
            threading.Thread(target=self.copy, args=(client, server, link.on_asked), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, link.on_answered), daemon=True).start()

    def copy(self, source, target, note):
        try:
            while data := source.recv(1 << 20):
                with self.lock:
                    note(data)
                target.sendall(data)
        except OSError:
            pass
        for sock in (source, target):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Link:
    """One connection. Replies come in the order of their commands."""

    def __init__(self, tap):
        self.tap, self.asked, self.came, self.due = tap, b"", b"", collections.deque()

    def on_asked(self, data):
        self.asked += data
        self.tap.writes += 1
        while end := end_of(self.asked):
            words = words_of(self.asked[:end])
            self.asked = self.asked[end:]
            is_noted = words[0] != b"CLIENT" and any(map(OF_REQUESTS.match, words[1:4]))
            self.due.append(is_noted)
            if is_noted:
                self.tap.seen.append((time.monotonic(), self.tap.writes, words))

    def on_answered(self, data):
        self.came += data
        while end := end_of(self.came):
            self.came = self.came[end:]
            if self.due and self.due.popleft():
                self.tap.answered.append(end)


def end_of(data, at=0):
    """The end of the command or reply that begins there; 0: not all of it is here."""
    line = data.find(b"\r\n", at) + 2
    if line < 2:
        return 0
    kind, number = data[at:at + 1], data[at + 1:line - 2]
    if kind == b"$":
        line += int(number) + 2 if number != b"-1" else 0
        return line if line <= len(data) else 0
    for _ in range(int(number) if kind == b"*" else 0):
        line = end_of(data, line)
        if not line:
            return 0
    return line


def words_of(command):
    """The words of a complete command."""
    words, at = [], command.index(b"\r\n") + 2
    while at < len(command):
        start = command.index(b"\r\n", at) + 2
        at = start + int(command[at + 1:start - 2]) + 2
        words.append(command[start:at - 2])
    return words
