"""The token bucket twice: as a plain model in fractions, and gateway/limit/bucket.c itself; and the script's source with a
clock that a test sets."""
import ctypes
import hashlib
import math
import os
import subprocess
from fractions import Fraction

from stage import ROOT

YEAR_US = 365 * 86400 * 1000000
N_MAX = 94906265


def source(name):
    with open(os.path.join(ROOT, "redis", name), encoding="utf-8") as file:
        return file.read()


def sha1(text):
    return hashlib.sha1(text.encode()).hexdigest()


def with_clock(text):
    """TIME is what the last two arguments say: seconds, microseconds."""
    call = "redis.call('TIME')"
    assert text.count(call) == 1, "one TIME a request"
    return text.replace(call, "{ARGV[#ARGV - 1], ARGV[#ARGV]}")


def clock_arguments(now_us):
    return "%d" % (now_us // 1000000), "%d" % (now_us % 1000000)


class Rate:
    """n tokens per period, in lowest terms, at most burst."""

    def __init__(self, n, period_us, burst):
        common = math.gcd(n, period_us)
        self.n, self.period, self.burst = n // common, period_us // common, burst
        assert 1 <= self.n <= N_MAX and self.burst * self.period <= YEAR_US * self.n
        self.token = Fraction(self.period, self.n)
        self.whole = self.burst * self.token

    def key(self, policy, client):
        return "gw:rl:%s:%d-%d-%d:%s" % (policy, self.n, self.period, self.burst, client)

    def arguments(self, cost):
        return self.n, self.period, self.burst, cost

    def __repr__(self):
        return "%d-%d-%d" % (self.n, self.period, self.burst)


class Model:
    """LIMITS in fractions: one number, the instant (µs) at which the bucket is full."""

    def __init__(self, rate):
        self.rate, self.full_at, self.stored = rate, Fraction(0), None

    def store(self, full_at):
        self.full_at = full_at
        us, rest = full_at // 1, full_at % 1 * self.rate.n
        self.stored = ("%d:%d" % (us, rest) if rest else "%d" % us).encode()

    def spoil(self, value):
        """Something that is no bucket lies there."""
        self.full_at, self.stored = Fraction(0), value

    def look(self, cost, now):
        """The answer where nothing is taken."""
        if self.full_at - now > self.rate.whole:
            self.store(now + self.rate.whole)
        lack = max(self.full_at - now, 0)
        missing = lack + cost * self.rate.token - self.rate.whole
        allowed = missing <= 0
        return [int(allowed), (self.rate.whole - lack) // self.rate.token, 0 if allowed else math.ceil(missing), math.ceil(lack)]

    def take(self, cost, now):
        answer = self.look(cost, now)
        assert answer[0]
        self.store(max(self.full_at, now) + cost * self.rate.token)
        return [1, answer[1] - cost, 0, math.ceil(self.full_at - now)]


def ask(models, costs, now):
    """What the script answers: all or none."""
    answers = [model.look(cost, now) for model, cost in zip(models, costs)]
    if all(answer[0] for answer in answers):
        answers = [model.take(cost, now) for model, cost in zip(models, costs)]
    return [number for answer in answers for number in answer]


class CBucket(ctypes.Structure):
    _fields_ = [("full_at_us", ctypes.c_uint64), ("rest", ctypes.c_uint64)]


class CRate(ctypes.Structure):
    _fields_ = [("n", ctypes.c_uint64), ("period_us", ctypes.c_uint64), ("burst", ctypes.c_uint64)]


class CAnswer(ctypes.Structure):
    _fields_ = [("allowed", ctypes.c_bool), ("remaining", ctypes.c_uint64), ("next_us", ctypes.c_uint64), ("full_after_us", ctypes.c_uint64)]

    def numbers(self):
        return [int(self.allowed), self.remaining, self.next_us, self.full_after_us]


class Compiled:
    """gateway/limit/bucket.c, compiled into `folder`."""

    def __init__(self, folder):
        path = os.path.join(folder, "bucket.so")
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-O1", "-shared", "-fPIC", "-I", os.path.join(ROOT, "gateway"), "-o", path,
                        os.path.join(ROOT, "gateway", "limit", "bucket.c")], check=True)
        library = ctypes.CDLL(path)
        for function in (library.gw_bucket_look, library.gw_bucket_take):
            function.restype = CAnswer
            function.argtypes = [ctypes.POINTER(CBucket), ctypes.POINTER(CRate), ctypes.c_uint64, ctypes.c_uint64]
        self.look, self.take = library.gw_bucket_look, library.gw_bucket_take

    def ask(self, buckets, rates, costs, now):
        """As the script does it: look at all, then take from all or none."""
        rates = [CRate(rate.n, rate.period, rate.burst) for rate in rates]
        answers = [self.look(bucket, rate, cost, now) for bucket, rate, cost in zip(buckets, rates, costs)]
        if all(answer.allowed for answer in answers):
            answers = [self.take(bucket, rate, cost, now) for bucket, rate, cost in zip(buckets, rates, costs)]
        return [number for answer in answers for number in answer.numbers()]
