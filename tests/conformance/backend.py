"""The backend of the conformance rows: it answers as the current step says, numbers its answers, and keeps the requests that it got."""
import re
import threading
import time
from email.utils import formatdate

from stage import Cut, Origin, reply

EMPTY = (204, 304)
FORMS = {
    None: lambda seconds: formatdate(int(seconds), usegmt=True),
    "rfc850": lambda seconds: time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(seconds)),
    "asctime": lambda seconds: time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(seconds)),
    "lower": lambda seconds: formatdate(int(seconds), usegmt=True).lower(),
    "upper": lambda seconds: formatdate(int(seconds), usegmt=True).upper(),
    "utc": lambda seconds: formatdate(int(seconds), usegmt=True).replace("GMT", "UTC"),
    "est": lambda seconds: formatdate(int(seconds), usegmt=True).replace("GMT", "EST"),
    "aoe": lambda seconds: formatdate(int(seconds), usegmt=True).replace("GMT", "AoE"),
    "numeric": lambda seconds: formatdate(int(seconds), usegmt=True).replace("GMT", "+0000"),
    "iso": lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)),
    "unix": lambda seconds: str(int(seconds)),
}
TEMPLATE = re.compile(r"\{(?:(%s):)?(now|path|origin|n|echo:[A-Za-z-]+)([+-]\d+)?\}" % "|".join(filter(None, FORMS)))


class Answered:
    """One answer of the backend, and the request that it answers."""

    def __init__(self, number, step, request, status, fields, body):
        self.number, self.step, self.request, self.status, self.fields, self.body = number, step, request, status, fields, body

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]


class Run:
    """A row at work: its path, the current step, and all that the backend answered."""

    def __init__(self, row, path, public):
        self.row, self.path, self.public = row, path, public
        self.lock = threading.Lock()
        self.step, self.says, self.whole, self.last, self.answered = -1, None, None, None, []

    def begin(self, index):
        with self.lock:
            self.step = index
            if self.row.steps[index].says is not None:
                self.says = self.row.steps[index].says
                self.whole = self.whole if self.says.if_conditional else self.says

    def calls(self, index):
        with self.lock:
            return [call for call in self.answered if call.step == index]

    def latest(self):
        with self.lock:
            return self.answered[-1]

    def numbered(self, number):
        with self.lock:
            return next((call for call in self.answered if call.number == number), None)

    def told(self, text, request=None, number=0):
        """The text without its templates."""
        def value(match):
            form, what, offset = match[1], match[2], int(match[3] or 0)
            if what == "now":
                return FORMS[form](time.time() + offset)
            if what.startswith("echo:"):
                return ", ".join(request.all(what[5:])) if request else ""
            return {"path": self.path, "origin": self.public, "n": str(number)}[what]
        return TEMPLATE.sub(value, text)

    def fields_of(self, lines, request=None, number=0):
        return [(name, value.strip(" ")) for name, _, value in
                (self.told(line, request, number).partition(":") for line in lines)]

    def answer(self, request):
        """Gives the answer of the current step: (the answer, bytes, whether the connection ends)."""
        with self.lock:
            number, says = len(self.answered) + 1, self.says
            is_conditional = request.has("If-None-Match") or request.has("If-Modified-Since")
            validators = ()
            if says.if_conditional:
                validators = [field for field in (self.last.fields if self.last else ())
                              if field[0].lower() in ("etag", "last-modified")]
                if not is_conditional:
                    says, validators = self.whole, ()
            fields = self.fields_of(says.fields, request, number)
            named = {name.lower() for name, _ in fields}
            fields += [field for field in validators if field[0].lower() not in named]
            status = 304 if says.or_304 and is_conditional else says.status
            body = self.body_of(says, number) if status not in EMPTY else b""
            if status != 304 and request.method != "HEAD":
                fields.append(("X-Nonce", str(number)))
            call = Answered(number, self.step, request, status, fields, body)
            self.answered.append(call)
            if status != 304 and says.framing != "nothing":
                self.last = call
            return says, call

    def body_of(self, says, number):
        if says.body is None:
            return b"answer %d" % number
        return says.body if isinstance(says.body, bytes) else self.told(says.body, None, number).encode()


def framed(says, call):
    """The bytes of an answer, and whether the connection ends with them."""
    fields = call.fields
    if says.framing == "nothing":
        return b"", True
    if says.framing == "short":
        data = reply(call.status, fields + [("Content-Length", str(len(call.body) + 9))], call.body)
    elif says.framing == "open":
        data = reply(call.status, fields, [call.body], chunked=True)[:-5]
    elif says.framing == "close":
        lines = ["HTTP/1.1 %d X" % call.status] + ["%s: %s" % field for field in fields]
        data = ("\r\n".join(lines + ["Connection: close"]) + "\r\n\r\n").encode("latin-1") + call.body
    else:
        data = reply(call.status, fields, call.body, chunked=says.framing in ("chunked", "trailer"))
    if says.framing == "trailer":
        data = data[:-2] + b"X-Trailer: 1\r\n\r\n"
    if call.request.method == "HEAD":
        data = data[:data.index(b"\r\n\r\n") + 4]
    for status, lines in reversed(says.interim):
        data = reply(status, [tuple(line.split(": ", 1)) for line in lines]) + data
    return data, says.framing in ("short", "open", "close")


class Backend(Origin):
    """Its paths begin with /<run>/."""

    def __init__(self):
        self.runs = {}
        super().__init__()

    def add(self, run):
        self.runs[run.path.split("/")[1]] = run

    def answer(self, connection, request):
        connection.reader.body(request)
        del connection.reader.raw[:]
        run = self.runs.get(request.target.split("?")[0].split("/")[1])
        if run is None:
            connection.sock.sendall(reply(404))
            return
        says, call = run.answer(request)
        data, ends = framed(says, call)
        time.sleep(says.delay)
        connection.sock.sendall(data)
        if ends:
            raise Cut()
