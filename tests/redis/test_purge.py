"""purge.lua beside a plain model of it; and what it is for: no instance uses what somebody purged, whatever becomes of the log."""
import random
import struct
import unittest

from bucket import clock_arguments, source, with_clock
from redis_stage import RedisError, RedisServer
from stage import in_parallel

LOG = "gw:purge:{log}"
SCRIPT = source("purge.lua")
STEP, BANS, PAGE, DAY_MS = 65536, 1024, 120, 86400 * 1000
START = 1800000000000000


def packed(floor, known, bans, more=0):
    return b"GWP1" + struct.pack("<HHQQ", len(bans), more, floor, known) + b"".join(struct.pack("<QH", number, len(ban)) + ban for number, ban in bans)


def after(last, now):
    """The number that follows."""
    return now if now >= last + STEP else last + STEP + now % STEP


def parse(answer):
    """floor, known, bans, more."""
    magic, count, more, floor, known = struct.unpack_from("<4sHHQQ", answer)
    assert magic == b"GWP1" and more < 2
    at, bans = 24, []
    for _ in range(count):
        number, length = struct.unpack_from("<QH", answer, at)
        bans.append((number, answer[at + 10:at + 10 + length]))
        at += 10 + length
    assert at == len(answer)
    return floor, known, bans, more


class Model:
    """The log: None, or its floor and bans."""

    def __init__(self):
        self.floor, self.bans = None, []

    def last(self):
        return self.bans[-1][0] if self.bans else self.floor or 0

    def ask(self, known, ban, now):
        if not ban and known == self.last():
            return b""
        if self.floor is None and known == 0:
            self.floor = 0
        elif self.floor is None or known > self.floor and known not in [number for number, _ in self.bans]:
            self.floor, self.bans = after(max(self.last(), known), now), []
        if ban:
            self.bans.append((after(self.last(), now), ban))
        for number, _ in self.bans[:-BANS]:
            self.floor = number
        self.bans = self.bans[-BANS:]
        news = [one for one in self.bans if one[0] > known]
        told = news[:PAGE]
        return packed(self.floor, told[-1][0] if told else self.last(), told, int(news > told))


class Purge(unittest.TestCase):
    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)
        self.sha = self.redis.cli("SCRIPT", "LOAD", SCRIPT).decode()
        self.clocked = self.redis.cli("SCRIPT", "LOAD", with_clock(SCRIPT)).decode()

    def ask(self, known, ban=None, now=None):
        if now is None:
            return self.redis.cli("EVALSHA", self.sha, 1, LOG, known, *([] if ban is None else [ban]))
        return self.redis.cli("EVALSHA", self.clocked, 1, LOG, known, ban or b"", *clock_arguments(now))


class OneLog(Purge):
    def test_numbers_are_the_clock_s_and_a_step_apart(self):
        second, third = START + STEP + (START + 3) % STEP, START + 3 * STEP
        rows = [(START, START), (START + 3, second), (third, third), (START + 5, third + STEP + (START + 5) % STEP), (START + 10 ** 9, START + 10 ** 9)]
        known = 0
        for now, number in rows:
            floor, known, bans, more = parse(self.ask(known, b"x", now))
            self.assertEqual((floor, known, bans, more), (0, number, [(number, b"x")], 0))

    def test_by_its_own_clock(self):
        before = [int(part) for part in self.redis.cli("TIME")]
        _, known, _, _ = parse(self.ask(0, b"x"))
        after = [int(part) for part in self.redis.cli("TIME")]
        self.assertTrue(before[0] * 10 ** 6 + before[1] <= known <= after[0] * 10 ** 6 + after[1])

    def test_nothing_new_is_a_short_answer_that_writes_nothing(self):
        self.assertEqual(self.ask(0), b"")
        self.assertEqual(self.redis.cli("EXISTS", LOG), 0)
        _, known, _, _ = parse(self.ask(0, b"x"))
        self.redis.cli("CONFIG", "RESETSTAT")
        for _ in range(5):
            self.assertEqual(self.ask(known), b"")
        self.assertEqual([self.redis.calls(name) for name in ("zrange", "zadd", "del", "pexpire", "zcard", "time")], [5, 0, 0, 0, 0, 0])

    def test_lives_longer_than_any_response_as_long_as_somebody_asks(self):
        _, known, _, _ = parse(self.ask(0, b"x"))
        self.assertTrue(26 * DAY_MS - 60000 < self.redis.cli("PTTL", LOG) <= 26 * DAY_MS)
        for left, then in ((25 * DAY_MS + 60000, 25 * DAY_MS), (25 * DAY_MS - 1, 26 * DAY_MS - 60000), (5000, 26 * DAY_MS - 60000)):
            self.redis.cli("PEXPIRE", LOG, left)
            self.assertEqual(self.ask(known), b"")
            self.assertTrue(2 ** 31 < then <= self.redis.cli("PTTL", LOG) <= max(left, 26 * DAY_MS))
            self.redis.cli("PEXPIRE", LOG, left)
            _, known, _, _ = parse(self.ask(known, b"y"))
            self.assertLessEqual(26 * DAY_MS - 60000, self.redis.cli("PTTL", LOG))

    def test_the_format_is_the_gateway_s(self):
        """These bytes are in redis/README.md and in tests/unit/cache/test_bans.c."""
        ban, answer = "50010900612e6578616d706c652f73686f702f", "4757503101000000000000000000000000809828176506000080982817650600130050010900612e6578616d706c652f73686f702f"
        self.assertEqual(self.ask(0, bytes.fromhex(ban), START), bytes.fromhex(answer))

    def test_any_bytes_may_be_a_ban(self):
        bans = [bytes(range(256)), b"\0", b"F", b"\r\n" * 1000, b"same", b"same"]
        for ban in bans:
            self.ask(0, ban)
        self.assertEqual([ban for _, ban in parse(self.ask(0))[2]], bans)

    def test_a_long_log_is_told_in_parts_of_256_kib_at_most(self):
        bans = [b"%04d" % index + b"x" * 2048 for index in range(2 * PAGE + 1)]
        for ban in bans:
            self.ask(0, ban, START)
        known, told, parts = 0, [], 0
        while True:
            answer = self.ask(known)
            self.assertLess(len(answer), 256 << 10)
            _, known, news, more = parse(answer)
            told, parts = told + news, parts + 1
            if not more:
                break
        self.assertEqual(([ban for _, ban in told], parts), (bans, 3))
        self.assertEqual(self.ask(known), b"")

    def test_the_oldest_leave_and_raise_the_floor(self):
        for index in range(BANS + 7):
            self.ask(0, b"%d" % index, START)
        self.assertEqual(self.redis.cli("ZCARD", LOG), BANS + 1)
        floor, _, bans, _ = parse(self.ask(0))
        numbers = [START]
        while len(numbers) < BANS + 7:
            numbers.append(after(numbers[-1], START))
        self.assertEqual((floor, bans[0]), (numbers[6], (numbers[7], b"7")))
        self.assertEqual(parse(self.ask(numbers[1])), parse(self.ask(0)))  # was away for long

    def test_a_log_that_is_gone_ends_all_that_was_before(self):
        for now in (START - 5, START + 10 ** 7):
            _, known, _, _ = parse(self.ask(0, b"x", START))
            for ban in (None, b"y"):
                self.redis.cli("DEL", LOG)
                self.assertEqual(parse(self.ask(known, ban, now)), packs(known, ban, now))
                self.assertLess(25 * DAY_MS, self.redis.cli("PTTL", LOG))
                self.assertEqual(parse(self.ask(0)), packs(known, ban, now))
            self.redis.cli("DEL", LOG)

    def test_a_number_that_the_log_does_not_know_ends_all_that_was_before(self):
        """A server took over that had not heard of the last ban, and was given another one."""
        self.ask(0, b"x", START)
        kept = self.redis.cli("DUMP", LOG)
        _, known, _, _ = parse(self.ask(0, b"lost", START + 10 ** 6))
        for now in (START + 2 * 10 ** 6, START - 10 ** 6):
            for ban in (None, b"of a third"):
                self.redis.cli("RESTORE", LOG, 1000, kept, "REPLACE")
                _, other, _, _ = parse(self.ask(START, b"of another", now))
                wanted = packs(max(known, other), ban, now + 1)
                self.assertEqual(parse(self.ask(known, ban, now + 1)), wanted)
                self.assertEqual(parse(self.ask(other)), wanted)

    def test_a_number_tells_which_ban_it_was(self):
        """By a clock that is behind, two logs go on from the same number: the lost one's is not given again."""
        _, first, _, _ = parse(self.ask(0, b"x", START))
        kept = self.redis.cli("DUMP", LOG)
        _, lost, _, _ = parse(self.ask(first, b"y", START - 10 ** 6))
        self.redis.cli("RESTORE", LOG, 1000, kept, "REPLACE")
        _, other, _, _ = parse(self.ask(first, b"z", START - 10 ** 6 + 1))
        self.assertEqual(parse(self.ask(lost, None, START)), packs(max(lost, other), None))

    def test_what_is_no_log_is_written_over(self):
        for command, *words in (("SET", b"hello"), ("RPUSH", b"a"), ("ZADD", 5, b"a"), ("ZADD", 0, b"F", "inf", b"a"), ("ZADD", 0, b"F", 2 ** 53, b"a")):
            for ban in (None, b"x"):
                with self.subTest(command=command, words=words, ban=ban):
                    self.redis.cli("DEL", LOG)
                    self.redis.cli(command, LOG, *words)
                    self.assertEqual(parse(self.ask(7, ban, START)), packs(7, ban))

    def test_where_redis_cannot_write_its_word_is_the_first_and_the_log_stays(self):
        _, known, _, _ = parse(self.ask(0, b"x"))
        self.redis.cli("CONFIG", "SET", "maxmemory", 1)
        self.assertEqual(self.fault(known, b"y"), "OOM")
        self.assertEqual(self.ask(known), b"")
        self.redis.cli("CONFIG", "SET", "maxmemory", 0)
        self.redis.cli("REPLICAOF", "127.0.0.1", 1)
        self.assertEqual(self.fault(known, b"y"), "READONLY")
        self.assertEqual(self.ask(known), b"")
        self.assertEqual(self.fault(known + 1), "READONLY")
        self.assertEqual(self.redis.cli("ZCARD", LOG), 2)

    def fault(self, known, ban=None):
        with self.assertRaises(RedisError) as caught:
            self.ask(known, ban)
        return caught.exception.code

    def test_of_many_that_ban_at_once_each_has_a_number_of_its_own(self):
        def one(index):
            known, numbers = 0, []
            with self.redis.connect() as client:
                for turn in range(20):
                    ban = b"%d %d" % (index, turn)
                    while True:
                        _, known, bans, more = parse(client.command("EVALSHA", self.sha, 1, LOG, known, ban))
                        numbers += [number for number, told in bans if told == b"%d %d" % (index, turn)]
                        ban = b""
                        if not more:
                            break
            return numbers
        numbers = sorted(sum(in_parallel(8, one), []))
        self.assertEqual(len(numbers), 160)
        self.assertTrue(all(b - a >= STEP for a, b in zip(numbers, numbers[1:])))
        self.assertEqual(self.redis.cli("ZCARD", LOG), 161)


def packs(last, ban, now=START):
    """A log that was begun anew after it, and the ban in it."""
    floor = after(last, now)
    number = after(floor, now)
    return (floor, number, [(number, ban)], 0) if ban else (floor, floor, [], 0)


class BesideTheModel(Purge):
    def test_answers_the_same(self):
        seed = random.randrange(2 ** 32)
        for attempt in range(12):
            with self.subTest(seed=seed, attempt=attempt):
                self.compare(random.Random("%d %d" % (seed, attempt)))

    def compare(self, chance):
        model, now, heard = Model(), START, [0]
        self.redis.cli("DEL", LOG)
        for _ in range(chance.choice((60, 400, 1500))):
            now += chance.choice((0, 0, 1, STEP, 10 ** 6, -10 ** 6))
            known = chance.choice((heard[-1], heard[-1], heard[-1], chance.choice(heard), heard[-1] + chance.randrange(100)))
            if chance.random() < 0.002:
                self.redis.cli("DEL", LOG)
                model = Model()
            ban = chance.choice((None, b"", b"x", chance.randbytes(chance.randrange(1, 40))))
            answer = self.ask(known, ban, now)
            self.assertEqual(answer, model.ask(known, ban, now))
            if answer:
                heard.append(parse(answer)[1])
        lies = self.redis.cli("ZRANGE", LOG, 0, -1, "WITHSCORES")
        wanted = [(b"F", model.floor)] + [(struct.pack("<QH", number, len(ban)) + ban, number) for number, ban in model.bans]
        self.assertEqual(list(zip(lies[::2], map(int, lies[1::2]))), wanted if model.floor is not None else [])


class Instance:
    """What bans.c makes of it. A ban is a word; a frame is (word, number that was known before its fetch)."""

    def __init__(self, ask):
        self.ask, self.known, self.sequence, self.floor, self.bans = ask, 0, 0, 0, []

    def poll(self, now, ban=None):
        while True:
            answer = self.ask(self.known, ban, now)
            if not answer:
                return
            floor, known, bans, more = parse(answer)
            self.bans += [one for one in bans if one[0] > self.known]
            self.floor, self.known, self.sequence, ban = max(self.floor, floor), known, max(self.sequence, known), None
            if not more:
                return

    def ban_here(self, word):
        self.sequence += 1
        self.bans.append((self.sequence, word))

    def may_use(self, frame):
        word, number = frame
        return number >= self.floor and not any(ban == word and at > number for at, ban in self.bans)


class ManyInstances(Purge):
    """Bans and fetches at three instances, while the log is deleted, set back (as by a failover), and the clock jumps."""

    def test_use_nothing_that_was_purged_after_its_fetch(self):
        seed = random.randrange(2 ** 32)
        for attempt in range(40):
            with self.subTest(seed=seed, attempt=attempt):
                self.live(random.Random("%d %d" % (seed, attempt)))

    def live(self, chance):
        self.redis.cli("DEL", LOG)
        self.purged, self.fresh = [], []  # frames with a later ban of their word; those without one
        self.kept, now = self.redis.cli("DUMP", LOG), START
        instances = [Instance(self.ask) for _ in range(3)]
        for _ in range(120):
            now += chance.choice((1, 7, 1000, STEP + 11, 10 ** 6))
            one, word = chance.choice(instances), b"%d" % chance.randrange(4)
            happens = chance.random()
            if happens < 0.3:
                self.fresh.append((word, one.sequence))
            elif happens < 0.5:
                one.poll(now, word)
                self.purged += [frame for frame in self.fresh if frame[0] == word]
                self.fresh = [frame for frame in self.fresh if frame[0] != word]
            elif happens < 0.9:
                one.poll(now)
            elif happens < 0.93:
                one.ban_here(word)
            else:
                now = self.befalls(chance, now)
        for one in instances * 2:
            one.poll(now)
        self.assertEqual({one.known for one in instances}, {instances[0].known})
        for frame in self.purged:
            for one in instances:
                self.assertFalse(one.may_use(frame), (frame, one.floor, one.bans))

    def befalls(self, chance, now):
        what = chance.randrange(4)
        if what == 0:
            self.redis.cli("DEL", LOG)
        elif what == 1:
            self.kept = self.redis.cli("DUMP", LOG)
        elif what == 2 and self.kept:
            self.redis.cli("RESTORE", LOG, 26 * DAY_MS, self.kept, "REPLACE")
        elif what == 3:
            return now - 10 ** 7
        return now

    def test_go_on_using_what_was_not_purged(self):
        """Where nothing is lost, a ban ends what it names and no more."""
        now, instances = START, [Instance(self.ask) for _ in range(3)]
        frames = [(b"a", instances[0].sequence), (b"b", instances[0].sequence)]
        instances[1].poll(now, b"a")
        frames.append((b"a", instances[1].sequence))
        for one in instances:
            one.poll(now)
            self.assertEqual([one.may_use(frame) for frame in frames], [False, True, True])
        instances[2].ban_here(b"b")
        frames.append((b"b", instances[2].sequence))
        instances[0].poll(now, b"b")
        for one in instances:
            one.poll(now)
            self.assertEqual([one.may_use(frame) for frame in frames], [False, False, True, False])


if __name__ == "__main__":
    unittest.main(verbosity=2)
