"""Runs rows: each in a thread of its own, its steps in order, over one gateway or over two in turn.

Attempts   A result that a slow machine can cause (a response is no longer fresh, or not stored yet) is tried again, with more
           patience. A result that slowness cannot cause, a response from the cache that must not come from there, fails at once. With
           two gateways, though, a change through one may reach the other a moment later, so that step is asked again for a second."""
import concurrent.futures
import contextlib
import re
import threading
import time

from backend import Run
from language import LATEST, SAME
from stage import Client, Truncated, wait_until

ATTEMPTS = 3
SETTLES_S = (0.05, 0.4, 1.5)  # between steps: the answer does not wait until it is stored
COHERENT_S = 1.0
BACKGROUND_S = 10
AT_ONCE = 48


class Fault(Exception):
    """The row does not hold. is_final: slowness cannot explain it."""

    def __init__(self, why, is_final=False):
        super().__init__(why)
        self.is_final = is_final


class Result:
    """doubts: the earlier attempts that were not conclusive."""

    def __init__(self, row, fault, story, doubts):
        self.row, self.fault, self.story, self.doubts = row, fault, story, doubts

    def told(self):
        """For people: the row and its whole dialogue."""
        lines = ["%s: %s %s: %s" % (self.row.name, self.row.section, self.row.level, self.row.sentence)]
        return "\n".join(lines + self.story + (["=> " + str(self.fault)] if self.fault else ["=> holds"]))


class Runner:
    """gateways: the configuration's name → one or two gateways, all in front of one backend."""

    def __init__(self, backend, gateways):
        self.backend, self.gateways = backend, gateways
        self.lock, self.number = threading.Lock(), 0

    def run_all(self, rows):
        """Results in the order of the rows. Rows that sleep begin first."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = {row.name: pool.submit(self.run, row) for row in sorted(rows, key=lambda row: -row.seconds())}
            return [results[row.name].result() for row in rows]

    def run(self, row):
        doubts = []
        while True:
            story = []
            try:
                self.attempt(row, len(doubts), story)
                return Result(row, None, story, doubts)
            except Fault as caught:
                fault = caught
            except (OSError, AssertionError) as caught:
                fault = Fault(repr(caught))
            if fault.is_final or len(doubts) == ATTEMPTS - 1:
                return Result(row, fault, story, doubts)
            doubts.append(Result(row, fault, story, []))

    def attempt(self, row, attempt, story):
        with self.lock:
            self.number += 1
            path = "/%d-%s" % (self.number, row.name)
        run = Run(row, path, "http://gateway.test")
        self.backend.add(run)
        gateways = self.gateways[row.config]
        for index, step in enumerate(row.steps):
            time.sleep(step.pause if step.pause else SETTLES_S[attempt] if index else 0)
            run.begin(index)
            self.take(run, index, step, gateways, story)

    def take(self, run, index, step, gateways, story):
        """One step; asked again if two gateways may differ for a moment."""
        ends = time.monotonic() + (COHERENT_S if len(gateways) > 1 and index > 1 else 0)
        while True:
            before = len(run.calls(index))
            response, truncated = ask(run, step, gateways[index % len(gateways)])
            calls = run.calls(index)[before:]
            tell(story, index, step, run, calls, response, truncated)
            try:
                check(run, index, step, calls, response, truncated)
                return
            except Fault as fault:
                if not fault.is_final or time.monotonic() > ends:
                    raise
                time.sleep(0.05)


def ask(run, step, gateway):
    """(response, whether it broke off)"""
    fields = run.fields_of(step.fields)
    with Client(gateway.port) as client:
        client.ask(step.method, run.path + step.to, fields + [("Connection", "close")], step.sends)
        try:
            return client.read(), False
        except Truncated as fault:
            return fault.message, True


def tell(story, index, step, run, calls, response, truncated):
    story.append("  step %d (%s): %s %s%s %s" % (index + 1, step.kind, step.method, run.path, step.to, run.fields_of(step.fields)))
    for call in calls:
        story.append("    backend was asked: %s %s" % (call.request.start, shown(call.request.fields)))
        story.append("    and said %d: %d %s %r" % (call.number, call.status, call.fields, call.body[:60]))
    if not calls:
        story.append("    backend was not asked")
    story.append("    response%s: %s %s %r" % (" (broken off)" if truncated else "", response.start, response.fields, response.body[:60]))


def shown(fields):
    ours = ("via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id", "host")
    return [field for field in fields if field[0].lower() not in ours]


# ----------------------------------------------------------------------------------------------------- what must hold


def check(run, index, step, calls, response, truncated):
    if response.start == "nothing":
        raise Fault("the gateway closed the connection without an answer")
    source = source_of(run, response)
    KINDS[step.kind](run, index, step, calls, response, source)
    if step.kind in ("cached", "validated", "stale", "refreshed") and truncated:
        raise Fault("the response from the cache broke off")
    if step.kind == "refreshed":
        with contextlib.suppress(AssertionError):
            calls = wait_until(lambda: run.calls(index), "the backend is asked in the background", BACKGROUND_S)
        if not calls:
            raise Fault("the backend was not asked in the background")
    check_particulars(run, step, calls, response, source)


def source_of(run, response):
    """The backend's answer that this response repeats, or None."""
    nonce = response.all("X-Nonce")
    return run.numbered(int(nonce[0])) if nonce and nonce[0].isdigit() else None


def was_stored_before(run, index, source):
    return source is not None and source.step < index


def is_fetched(run, index, step, calls, response, source):
    if was_stored_before(run, index, source):
        raise Fault("expected the backend's new answer, got the stored answer %d" % source.number, is_final=True)
    if not calls:
        raise Fault("the backend was not asked", is_final=response.status < 500)
    wanted = step.status or calls[-1].status
    if response.status != wanted:
        raise Fault("expected status %d" % wanted)
    if source is not None and source is not calls[-1]:
        raise Fault("the response is answer %d, the backend's last one is %d" % (source.number, calls[-1].number))
    if source is not None and step.body is None and response.status == source.status and step.method != "HEAD" \
            and response.body != source.body:
        raise Fault("expected the backend's body")


def is_earlier(run, index, step, response, source):
    if not was_stored_before(run, index, source):
        raise Fault("expected a stored answer of the backend")
    wanted = step.status or source.status
    if response.status != wanted:
        raise Fault("expected status %d" % wanted)
    if step.method == "GET" and step.body is None and response.status == source.status and response.body != source.body:
        raise Fault("the body is not the one that was stored")


def is_cached(run, index, step, calls, response, source):
    if calls:
        raise Fault("expected a stored answer, but the backend was asked")
    is_earlier(run, index, step, response, source)


def is_validated(run, index, step, calls, response, source):
    if not calls:
        raise Fault("expected a validation, but the backend was not asked", is_final=True)
    if calls[-1].status != 304:
        raise Fault("the backend was not asked by a conditional request")
    if step.status == 304 and response.status == 304:
        return
    is_earlier(run, index, step, response, source)


def is_stale(run, index, step, calls, response, source):
    is_earlier(run, index, step, response, source)


def is_refreshed(run, index, step, calls, response, source):
    is_earlier(run, index, step, response, source)


def is_unanswered(run, index, step, calls, response, source):
    if calls:
        raise Fault("the backend was asked")
    if source is not None:
        raise Fault("the response is a stored answer", is_final=True)


def is_failed(run, index, step, calls, response, source):
    if was_stored_before(run, index, source):
        raise Fault("got the stored answer %d" % source.number, is_final=True)
    if not calls:
        raise Fault("the backend was not asked")
    if response.status not in (502, 503, 504):
        raise Fault("expected an error of the gateway")


def is_any(run, index, step, calls, response, source):
    pass


KINDS = {"fetched": is_fetched, "cached": is_cached, "validated": is_validated, "stale": is_stale, "refreshed": is_refreshed,
         "unanswered": is_unanswered, "failed": is_failed, "any": is_any}


def check_particulars(run, step, calls, response, source):
    if step.status is not None and response.status != step.status:
        raise Fault("expected status %d" % step.status)
    if step.asked is not None and len(calls) != step.asked:
        raise Fault("expected the backend to be asked %d times" % step.asked)
    for name, wanted in step.has.items():
        expected = wanted
        if wanted is LATEST or wanted is SAME and source:
            expected = (source if wanted is SAME else run.latest()).all(name)
        match_field(run, "response field", name, expected, response.all(name))
    if step.body is not None:
        fits = step.body.search(response.body) if isinstance(step.body, re.Pattern) else response.body == step.body
        if not fits:
            raise Fault("expected the body %r" % (step.body,))
    if step.interim is not None and [interim.status for interim in response.interim] != step.interim:
        raise Fault("expected the interim responses %r, got %r" % (step.interim, response.interim))
    if step.seen:
        if not calls:
            raise Fault("the backend was not asked")
        for name, wanted in step.seen.items():
            match_field(run, "field of the backend's request", name, wanted, calls[-1].request.all(name))


def match_field(run, where, name, wanted, values):
    """wanted: as a step's `has`."""
    if wanted is None:
        fits = not values
    elif isinstance(wanted, list):
        fits = values == [run.told(value) for value in wanted]
    elif isinstance(wanted, tuple):
        fits = len(values) == 1 and values[0].isdigit() and wanted[0] <= int(values[0]) <= wanted[1]
    elif isinstance(wanted, re.Pattern):
        fits = bool(wanted.search(", ".join(values))) if values else False
    else:
        fits = ", ".join(values) == run.told(wanted)
    if not fits:
        raise Fault("%s %s: expected %s, got %r" % (where, name, "none" if wanted is None else repr(wanted), values))
