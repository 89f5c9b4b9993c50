"""token_bucket.lua by Redis' own clock, with many clients, and what it says when Redis cannot write."""
import unittest

from bucket import Rate, clock_arguments, sha1, source, with_clock
from redis_stage import RedisError, RedisServer
from stage import in_parallel

HOUR, DAY, SECOND = 3600000000, 86400000000, 1000000
SCRIPT = source("token_bucket.lua")
CLIENTS = 24


def now_us(client):
    seconds, micros = client.command("TIME")
    return int(seconds) * SECOND + int(micros)


def instant(value, rate):
    us, _, rest = value.decode().partition(":")
    return int(us) * rate.n + int(rest or 0)  # in parts


class Limits(unittest.TestCase):
    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)
        self.sha = self.redis.cli("SCRIPT", "LOAD", SCRIPT).decode()
        self.clocked = self.redis.cli("SCRIPT", "LOAD", with_clock(SCRIPT)).decode()

    def words(self, buckets, now=None):
        """One call for these (key, rate, cost); now: by the test's clock."""
        arguments = [number for _, rate, cost in buckets for number in rate.arguments(cost)]
        clock = () if now is None else clock_arguments(now)
        return ("EVALSHA", self.sha if now is None else self.clocked, len(buckets), *(key for key, _, _ in buckets), *arguments, *clock)

    def take(self, *buckets, now=None):
        answer = self.redis.cli(*self.words(buckets, now))
        return [answer[at:at + 4] for at in range(0, len(answer), 4)]

    def flood(self, calls, *buckets):
        """How many of CLIENTS * calls requests were allowed, all at once on as many connections."""
        def one(_):
            with self.redis.connect() as client:
                replies = client.pipeline([self.words(buckets)] * calls, at_once=7)
            return sum(all(reply[::4]) for reply in replies)
        return sum(in_parallel(CLIENTS, one))


class ManyClients(Limits):
    def test_share_a_bucket_to_the_last_token(self):
        rate = Rate(100, DAY, 1000)
        for cost in (1, 7):
            allowed = self.flood(120, (rate.key("shared", cost), rate, cost))
            self.assertEqual(allowed, 1000 // cost)

    def test_take_exactly_what_came_meanwhile(self):
        """Nothing is lost or made while it refills: the instant of fullness moves by exactly the tokens taken."""
        for n, period in ((1000, SECOND), (30000, SECOND), (700000, SECOND), (999983, SECOND), (7, 3000)):
            rate = Rate(n, period, 5 * n if period == SECOND else 10000)
            key = rate.key("flowing", n)
            first = self.take((key, rate, rate.burst))[0]  # empty now, so it is full at the earliest after the flood
            self.assertEqual(first[:3], [1, 0, 0])
            before = instant(self.redis.cli("GET", key), rate)
            allowed = self.flood(150, (key, rate, 1))
            after = instant(self.redis.cli("GET", key), rate)
            self.assertGreater(after, now_us(self.redis.link) * rate.n, "the bucket was full meanwhile: the test was too slow for its burst")
            self.assertEqual(after - before, allowed * rate.period)

    def test_take_from_all_buckets_or_from_none(self):
        small, large = Rate(10, DAY, 50), Rate(100, DAY, 1000)
        keys = small.key("small", "a"), large.key("large", "b")
        self.assertEqual(self.flood(20, (keys[0], small, 1), (keys[1], large, 2)), 50)
        refused, spared = self.take((keys[0], small, 1), (keys[1], large, 2))
        self.assertEqual((refused[:2], spared[:3]), ([0, 0], [1, 1000 - 2 * 50, 0]))


class Rates(Limits):
    def test_from_one_an_hour_to_a_million_a_second_admit_the_burst_and_what_comes(self):
        start = now_us(self.redis.link) + 3 * DAY  # no key may expire by Redis' own clock
        for n, period, burst, cost, step in (
                (1, HOUR, 1, 1, 600 * SECOND), (1, HOUR, 5, 2, 601 * SECOND), (5, DAY, 5, 1, HOUR), (1, SECOND, 2, 1, 99999), (10, SECOND, 20, 1, 7919),
                (7, 3 * SECOND, 9, 1, 100003), (30000, SECOND, 100, 1, 31), (700000, SECOND, 100, 3, 2), (999983, SECOND, 1000, 4, 3),
                (1000000, SECOND, 50, 1, 1), (1000000, SECOND, 5, 2, 1)):
            rate, count = Rate(n, period, burst), 2000
            key = rate.key("rates", "%d-%d" % (cost, step))
            link = self.redis.link
            replies = link.pipeline([self.words([(key, rate, cost)], start + i * step) for i in range(count)])
            admitted = sum(reply[0] for reply in replies)
            due = (rate.burst + (count - 1) * step / rate.token) // cost
            with self.subTest(rate=rate, cost=cost):
                if step / rate.token < cost and burst > cost + step / rate.token:  # never full, so nothing overflows
                    self.assertEqual(admitted, due)
                self.assertLessEqual(admitted, due)
                self.assertGreater(admitted, 0)

    def test_say_when_the_next_token_comes_by_this_clock(self):
        rate = Rate(1, HOUR, 2)
        key = rate.key("hourly", "a")
        begun = now_us(self.redis.link)
        answers = [self.take((key, rate, 1))[0] for _ in range(3)]
        ended = now_us(self.redis.link)
        self.assertEqual([answer[:2] for answer in answers], [[1, 1], [1, 0], [0, 0]])
        self.assertEqual(answers[0][2:], [0, HOUR])
        self.assertTrue(HOUR - (ended - begun) <= answers[2][2] <= HOUR)
        self.assertEqual(answers[2][3] - answers[2][2], HOUR)


class Values(Limits):
    def test_a_key_leaves_when_its_bucket_is_full(self):
        for n, period, burst, cost in ((1, HOUR, 10, 3), (7, 3 * SECOND, 100, 100), (999983, SECOND, 2 * 10 ** 6, 10 ** 6)):
            rate = Rate(n, period, burst)
            key = rate.key("expiry", n)
            self.take((key, rate, cost))
            us = instant(self.redis.cli("GET", key), rate) // rate.n
            self.assertEqual(self.redis.cli("PEXPIRETIME", key), us // 1000 + 1)
        rate = Rate(1000, SECOND, 10)
        key = rate.key("expiry", "soon")
        answer = self.take((key, rate, 10))[0]
        self.assertTrue(9000 <= answer[3] <= 10000)
        while now_us(self.redis.link) < instant(self.redis.cli("GET", key) or b"0", rate) + 2000:
            pass
        self.assertEqual(self.redis.cli("EXISTS", key), 0)

    def test_something_else_in_a_key_counts_as_a_full_bucket_and_is_written_over(self):
        rate = Rate(7, 3 * SECOND, 20)
        spoil = (("SET", b"\0garbage"), ("SET", b"inf"), ("SET", b"1e300"), ("SET", b""), ("RPUSH", b"a"), ("SADD", b"a"), ("HSET", b"a", b"b"), ("ZADD", b"1", b"a"))
        for i, (command, *words) in enumerate(spoil):
            key = rate.key("garbage", i)
            self.redis.cli(command, key, *words)
            self.assertEqual(self.take((key, rate, 1))[0][:3], [1, 19, 0])
            self.assertEqual(self.redis.cli("TYPE", key), "string")
            self.assertEqual(self.take((key, rate, 1))[0][:2], [1, 18])

    def test_a_clock_set_back_costs_one_refill_and_locks_nobody_out(self):
        rate = Rate(10, SECOND, 20)
        key, there = rate.key("clock", "a"), now_us(self.redis.link) + 3 * DAY
        self.assertEqual(self.take((key, rate, 20), now=there)[0], [1, 0, 0, 2 * SECOND])
        back = there - DAY
        self.assertEqual(self.take((key, rate, 1), now=back)[0], [0, 0, 100000, 2 * SECOND])
        self.assertEqual(self.redis.cli("GET", key), b"%d" % (back + 2 * SECOND))
        self.assertEqual(self.take((key, rate, 1), now=back + 99999)[0][:3], [0, 0, 1])
        self.assertEqual(self.take((key, rate, 1), now=back + 100000)[0][:3], [1, 0, 0])
        # A refusal by another bucket keeps nothing from being put right either.
        other = rate.key("clock", "b")
        self.take((key, rate, 1), (other, rate, 19), now=there + 3600 * SECOND)
        self.take((key, rate, 1), (other, rate, 20), now=there)
        self.assertEqual([self.redis.cli("GET", name) for name in (key, other)], [b"%d" % (there + 2 * SECOND)] * 2)

    def test_a_changed_limit_is_a_bucket_of_its_own(self):
        hourly, quick = Rate(1, HOUR, 20), Rate(10, SECOND, 20)
        self.assertEqual(self.take((hourly.key("default", "a"), hourly, 20))[0][1], 0)
        self.assertEqual(self.take((quick.key("default", "a"), quick, 1))[0][:2], [1, 19])
        wider = Rate(10, SECOND, 21)
        self.assertEqual(self.take((wider.key("default", "a"), wider, 1))[0][:2], [1, 20])

    def test_numbers_that_cannot_be_counted_exactly_are_an_error(self):
        for numbers in ((94906266, 1, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 2), (1, 1, 1, 0), (1, 1 << 53, 1, 1), (1, 1 << 44, 3, 1),
                        (1, 1, 1 << 50, 1)):
            with self.subTest(numbers), self.assertRaises(RedisError) as caught:
                self.redis.cli("EVALSHA", self.sha, 1, "gw:rl:a:b", *numbers)
            self.assertEqual(caught.exception.code, "ERR")
        self.assertEqual(self.redis.cli("DBSIZE"), 0)


class Trouble(Limits):
    def refusal(self, *buckets):
        with self.assertRaises(RedisError) as caught:
            self.take(*buckets)
        return caught.exception.code

    def test_a_flushed_script_is_asked_for_and_comes_back_by_eval(self):
        rate = Rate(10, SECOND, 20)
        bucket = (rate.key("default", "a"), rate, 1)
        self.redis.cli("SCRIPT", "FLUSH")
        self.assertEqual(self.refusal(bucket), "NOSCRIPT")
        answer = self.redis.cli("EVAL", SCRIPT, *self.words([bucket])[2:])
        self.assertEqual(answer[:2], [1, 19])
        self.assertEqual(self.take(bucket)[0][0], 1)
        self.assertEqual(self.sha, sha1(SCRIPT))

    def test_where_redis_cannot_write_its_word_is_the_first_and_nothing_is_taken(self):
        rate = Rate(10, SECOND, 20)
        buckets = [(rate.key(name, "a"), rate, 1) for name in ("a", "b", "c")]
        self.redis.cli("CONFIG", "SET", "maxmemory", 1)
        self.assertEqual(self.refusal(*buckets), "OOM")
        self.redis.cli("CONFIG", "SET", "maxmemory", 0)
        self.assertEqual(self.redis.cli("DBSIZE"), 0)
        self.redis.cli("REPLICAOF", "127.0.0.1", 1)
        self.assertEqual(self.refusal(*buckets), "READONLY")
        self.redis.cli("REPLICAOF", "NO", "ONE")
        self.assertEqual([answer[1] for answer in self.take(*buckets)], [19, 19, 19])


if __name__ == "__main__":
    unittest.main(verbosity=2)
