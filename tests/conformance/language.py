"""The parts of a row of the conformance table.

    row("max-age", "RFC 9111 §5.2.2.1", MUST, "A response is fresh while its age is below max-age.",
        first("Cache-Control: max-age=3600"), cached())

A row is a dialogue about one URL that no other row uses. Each step is a request, the backend's answer while that step runs, and the
expected result. A step that does not mention the backend leaves the backend at its last answer.

Fields are written "Name: value". In fields of the backend, and in fields that a request or an expectation names,

    {now} {now-3600}      an HTTP-date this many seconds from now; {rfc850:now} … other and wrong forms: backend.FORMS
    {path} {origin}       the row's path; scheme and authority that clients use for the gateway
    {n}                   the number of the backend's answer within the row
    {echo:Name}           the value of that field in the request that the backend got

Proof     Each answer of the backend has a number, in X-Nonce and in its default body, and the backend counts the requests within each
          step. So a row never believes the gateway when it says that a response comes from the cache. 304s and answers to HEAD have
          no X-Nonce, because it would update the X-Nonce of the stored response."""
import re

MUST, SHOULD, MAY = "MUST", "SHOULD", "MAY"

# The gateway configuration of a row, beside the cache being on.
CONFIGS = {
    "plain": {},
    "no_default_ttl": {"cache": {"default_ttl": "0s"}},
    "targeted": {"cache": {"default_ttl": "0s", "targeted_fields": ["Visara-Cache-Control", "CDN-Cache-Control"]}},
    "targeted_default": {"cache": {"targeted_fields": ["CDN-Cache-Control"]}},
    "share_set_cookie": {"cache": {"share_set_cookie": True}},
    "stale_if_error": {"cache": {"stale_if_error": "3600s"}},
    "no_heuristic": {"cache": {"heuristic_max": "0s"}},
    "whole_for_range": {"cache": {"fetch_whole_for_range": True}},
    "ignores_request": {"cache": {"request_directives": "ignore"}},
    "status_key": {"cache": {"status_key": True}},
}
ROWS = []


class Same:
    """Expected: the field as the backend sent it in the answer from which this response stems."""

    def __repr__(self):
        return "as the backend sent it"


class Latest:
    """Expected: the field as the backend sent it last, perhaps in a 304."""

    def __repr__(self):
        return "as the backend sent it last"


SAME, LATEST = Same(), Latest()


class Says:
    """An answer of the backend. framing: "length", "chunked", "trailer" (chunked, with X-Trailer behind it), "close" (the body ends with
    the connection), and the broken ones "short" (fewer bytes than Content-Length), "open" (no last chunk), "nothing" (the connection
    is closed instead). if_conditional: only for a conditional request; other requests get the last whole answer again. or_304: a
    conditional request gets 304 without content. delay: seconds before the answer."""

    def __init__(self, fields, status=200, body=None, interim=(), framing="length", if_conditional=False,
                 or_304=False, delay=0):
        self.fields, self.status, self.body, self.interim = tuple(fields), status, body, tuple(interim)
        self.framing, self.if_conditional, self.or_304, self.delay = framing, if_conditional, or_304, delay


class Step:
    """kind, what must have come of it:
    fetched     the backend was asked, and its answer is the response
    cached      the backend was not asked, and the response is an earlier answer of it
    validated   the backend was asked by a conditional request, answered 304, and the response is an earlier answer
    stale       the response is an earlier answer, whether or not the backend was asked
    refreshed   as cached, and the backend is then asked in the background, which the next step waits for
    unanswered  the backend was not asked, and the response is the gateway's own
    failed      the backend was asked in vain: an error of the gateway, nothing stored
    any         only the particulars count
    Particulars: status, has (response fields: None absent, str, list of values, (least, most), compiled pattern, SAME,
    LATEST), body (bytes or pattern),
    seen (fields of the backend's last request: the same), interim (statuses of 1xx)."""

    def __init__(self, kind, fields=(), says=None, method="GET", to="", sends=None, pause=0, status=None, has=None, body=None,
                 seen=None, interim=None, asked=None):
        self.kind, self.fields, self.method, self.to, self.sends = kind, tuple(fields), method, to, sends
        self.says = Says(says) if isinstance(says, (tuple, list)) else Says((says,)) if isinstance(says, str) else says
        self.pause, self.status, self.has, self.body = pause, status, dict(has or {}), body
        self.seen, self.interim, self.asked = dict(seen or {}), interim, asked


class Row:
    def __init__(self, name, section, level, sentence, steps, config):
        self.name, self.section, self.level, self.sentence = name, section, level, sentence
        self.steps, self.config = steps, config

    def seconds(self):
        return sum(step.pause + (step.says.delay if step.says else 0) for step in self.steps)


def row(name, section, level, sentence, *steps, config="plain"):
    assert re.match(r"[a-z0-9-]+$", name), name
    assert config in CONFIGS and level in (MUST, SHOULD, MAY), name
    assert all(known.name != name for known in ROWS), "two rows are called " + name
    ROWS.append(Row(name, section, level, sentence, steps, config))


def answer(*fields, **more):
    return Says(fields, **more)


def first(*said, asks=(), origin_status=200, origin_body=None, **more):
    """A plain GET that the backend answers with these fields."""
    return Step("fetched", asks, Says(said, status=origin_status, body=origin_body), **more)


def fetched(*fields, **more):
    return Step("fetched", fields, **more)


def cached(*fields, **more):
    return Step("cached", fields, **more)


def validated(*fields, says=(), **more):
    """The backend's 304 repeats the validators of its last answer and has `says` beside them."""
    return Step("validated", fields, Says((says,) if isinstance(says, str) else says, status=304, if_conditional=True), **more)


def stale(*fields, **more):
    return Step("stale", fields, **more)


def refreshed(*fields, **more):
    return Step("refreshed", fields, **more)


def unanswered(*fields, **more):
    return Step("unanswered", fields, **more)


def failed(*fields, **more):
    return Step("failed", fields, **more)


def sent(method, *fields, **more):
    """A request whose answer may come from anywhere; only its particulars count."""
    return Step("any", fields, method=method, **more)


def closes():
    return Says((), framing="nothing")
