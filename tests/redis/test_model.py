"""token_bucket.lua against the model and against bucket.c: the same answers and the same values, to the last digit."""
import os
import random
import time
import unittest
from fractions import Fraction

from bucket import N_MAX, YEAR_US, CBucket, Compiled, Model, Rate, ask, clock_arguments, source, with_clock
from redis_stage import RedisServer

SEED = int(os.environ.get("GATEWAY_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
SCHEDULES, STEPS = 4000, 10
USUAL = ((1, 3600000000), (1, 86400000000), (1, 60000000), (1, 1000000), (10, 1000000), (7, 3000000), (1000, 60000000), (30000, 1000000),
         (700000, 1000000), (1000000, 1000000), (999983, 1000000))
GARBAGE = (b"", b"garbage", b"nan", b"inf", b"-inf", b"1e400", b"1e300", b"12.5", b"-5", b":", b"1:", b":1", b"99999999999999999999", b"9007199254740992",
           b"1795560953119108:", b"1795560953119108:x", b"1795560953119108:99999999999999999999", b"1795560953119108:94906266", b"\0\xff",
           b"2795560953119108.5", b"2795560953119108:-1", b"x" * 5000)


def any_rate(dice):
    kind = dice.random()
    if kind < 0.5:
        n, period = dice.choice(USUAL)
    elif kind < 0.7:
        n, period = dice.randint(1, 1000), dice.randint(1, 10000000)
    else:  # where products leave what a double holds
        n, period = dice.randint(1, N_MAX) if dice.random() < 0.7 else N_MAX - dice.randint(0, 50), int(10 ** dice.uniform(0, 13.4))
    most = YEAR_US * n // period
    if not most:
        return any_rate(dice)
    burst = min(most, 10 ** 9, int(10 ** dice.uniform(0, 9.1)) if dice.random() < 0.5 else dice.randint(1, 50))
    return Rate(n, period, min(most, 10 ** 9) if dice.random() < 0.2 else burst)


def any_cost(dice, rate):
    kind = dice.random()
    return 1 if kind < 0.6 else rate.burst if kind < 0.7 else dice.randint(1, rate.burst) if kind < 0.85 else min(rate.burst, dice.randint(1, 5))


def any_step(dice, rates, last):
    """µs until the next request; the last answer's instants are the interesting ones, and one before, and one after."""
    kind, rate = dice.random(), dice.choice(rates)
    if kind < 0.3:
        return 0
    if kind < 0.6 and last:
        return max(0, dice.choice(last) + dice.randint(-1, 1))
    if kind < 0.7:
        return dice.randint(0, int(rate.token) + 1)
    if kind < 0.8:
        return dice.randint(0, int(rate.whole) + 1)
    if kind < 0.9:
        return dice.randint(0, 1000)
    return -dice.choice((1, 1000, 3600000000, 86400000000, dice.randint(0, int(rate.whole) + 1)))  # the clock goes back


class Schedule:
    """Requests about a few buckets, made beside the model; what the script should say is known before it is asked."""

    def __init__(self, number, start, floor, compiled, seed=SEED):
        dice = random.Random("%d/%d" % (seed, number))
        self.number, self.now, self.floor = number, start, floor
        self.rates = [any_rate(dice) for _ in range(dice.choice((1, 1, 1, 2, 3, 4)))]
        self.keys = [rate.key("p%d" % i, number) for i, rate in enumerate(self.rates)]
        self.models, self.buckets = [Model(rate) for rate in self.rates], [CBucket() for _ in self.rates]
        self.commands, self.expected, last = [], [], []
        for _ in range(STEPS):
            self.now = max(self.floor, self.now + any_step(dice, self.rates, last))
            last = self.step(dice, compiled)

    def step(self, dice, compiled):
        if dice.random() < 0.05:
            self.spoil(dice)
        elif dice.random() < 0.1:
            self.plant(dice)
        chosen = sorted(dice.sample(range(len(self.rates)), dice.randint(1, len(self.rates))))
        costs = [any_cost(dice, self.rates[i]) for i in chosen]
        answer = ask([self.models[i] for i in chosen], costs, self.now)
        also = compiled.ask([self.buckets[i] for i in chosen], [self.rates[i] for i in chosen], costs, self.now)
        assert answer == also, "bucket.c says %r, the model %r: %s" % (also, answer, self.where())
        words = [number for i, cost in zip(chosen, costs) for number in self.rates[i].arguments(cost)]
        self.say(("EVALSHA", None, len(chosen), *(self.keys[i] for i in chosen), *words, *clock_arguments(self.now)), answer)
        for i in chosen:
            self.see(i)
        return [number for at in range(0, len(answer), 4) for number in answer[at + 2:at + 4]]

    def see(self, i):
        """What lies there, and until when."""
        model, bucket = self.models[i], self.buckets[i]
        if isinstance(model.stored, list):
            return
        self.say(("GET", self.keys[i]), model.stored)
        if model.full_at:
            self.say(("PEXPIRETIME", self.keys[i]), int(model.full_at // 1000) + 1)
            assert (bucket.full_at_us, bucket.rest) == (model.full_at // 1, model.full_at % 1 * model.rate.n), self.where()

    def spoil(self, dice):
        i = dice.randrange(len(self.rates))
        self.buckets[i] = CBucket()
        if dice.random() < 0.2:
            self.say(("DEL", self.keys[i]), None)
            self.say(("RPUSH", self.keys[i], "a"), 1)
            self.models[i].spoil([])
        else:
            value = dice.choice(GARBAGE) if dice.random() < 0.8 else b"%d:%d" % (self.now + dice.randint(0, 9), self.rates[i].n)
            self.say(("SET", self.keys[i], value), "OK")
            self.models[i].spoil(value)

    def plant(self, dice):
        """A bucket that lacks whole tokens to the part, or one part less or more: where a quotient is rounded the wrong way."""
        i = dice.randrange(len(self.rates))
        rate, model, bucket = self.rates[i], self.models[i], self.buckets[i]
        lack = dice.choice((0, rate.burst, dice.randint(0, rate.burst), dice.randint(0, min(9, rate.burst)))) * rate.token + Fraction(dice.randint(-1, 1), rate.n)
        model.store(self.now + max(lack, 0))
        bucket.full_at_us, bucket.rest = int(model.full_at), int(model.full_at % 1 * rate.n)
        self.say(("SET", self.keys[i], model.stored, "PXAT", model.full_at // 1000 + 1), "OK")

    def say(self, command, expected):
        self.commands.append(command)
        self.expected.append(expected)

    def where(self):
        return "seed %d, schedule %d, rates %r, after %r" % (SEED, self.number, self.rates, self.commands[-4:])


class TheScript(unittest.TestCase):
    def test_agrees_with_the_model_and_with_bucket_c_over_random_schedules(self):
        with RedisServer() as redis:
            client = redis.connect()
            self.addCleanup(client.close)
            sha = client.command("SCRIPT", "LOAD", with_clock(source("token_bucket.lua"))).decode()
            compiled = Compiled(redis.folder)
            # Expiry is by Redis' own clock: far enough ahead of it that no schedule comes near.
            floor = (int(time.time()) + 3 * 86400) * 1000000
            for first in range(0, SCHEDULES, 250):
                schedules = [Schedule(first + i, floor + random.Random(SEED + first + i).randrange(10 ** 12), floor, compiled) for i in range(250)]
                commands = [tuple(sha if word is None else word for word in command) for schedule in schedules for command in schedule.commands]
                replies = iter(client.pipeline(commands))
                for schedule in schedules:
                    self.compare(schedule, replies)

    def compare(self, schedule, replies):
        for at, expected in enumerate(schedule.expected):
            reply = next(replies)
            if reply != expected and schedule.commands[at][0] != "DEL":
                self.fail("seed %d, schedule %d, rates %r: %r instead of %r after\n%s" % (
                    SEED, schedule.number, schedule.rates, reply, expected, "\n".join(map(repr, schedule.commands[:at + 1]))))

    def test_a_request_finds_something_in_every_corner(self):
        """The schedules reach what they are for: else their agreement says little."""
        with RedisServer() as redis:
            compiled = Compiled(redis.folder)
            schedules = [Schedule(i, 10 ** 15 + i, 10 ** 14, compiled, seed=1) for i in range(600)]
        rates = [rate for schedule in schedules for rate in schedule.rates]
        answers = [reply for schedule in schedules for command, reply in zip(schedule.commands, schedule.expected) if command[0] == "EVALSHA"]
        self.assertGreater(sum(rate.burst * rate.period >= 1 << 53 for rate in rates), 30)
        self.assertGreater(sum(rate.n > 1 << 26 for rate in rates), 50)
        self.assertGreater(sum(0 in answer[::4] and 1 in answer[::4] for answer in answers), 50)
        self.assertGreater(sum(set(answer[::4]) == {1} for answer in answers), 500)
        self.assertGreater(sum(b":" in reply for schedule in schedules for reply in schedule.expected if isinstance(reply, bytes)), 500)


if __name__ == "__main__":
    unittest.main(verbosity=2)
