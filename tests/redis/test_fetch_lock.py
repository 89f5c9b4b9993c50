"""fetch_lock.lua as README.md has it: which instance fetches a URL."""
import struct
import unittest

from bucket import source
from redis_stage import RedisError, RedisServer
from stage import in_parallel, wait_until

KEY, BASE = "gw:lock:0a:{1b}", "gw:cache:0a:{1b}"
VARIANT = b"v" * 16
AT_VARIANT = BASE + ":" + VARIANT.hex()


def value(kind, version, variants=()):
    """A header as far as the script reads it; of an index the names and the variants behind it."""
    head = b"GWC2" + kind + b"\0\0\0" + version * 8 + b"\0" * 24
    return head + (struct.pack("<H", 6) + b"accept" + b"".join(name * 16 for name in variants) if kind == b"I" else b"")


class FetchLock(unittest.TestCase):
    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)
        self.sha = self.redis.cli("SCRIPT", "LOAD", source("fetch_lock.lua")).decode()

    def say(self, operation, who, ms=500):
        return self.redis.cli("EVALSHA", self.sha, 1, KEY, operation, who, ms)

    def test_is_taken_by_one_kept_and_left_by_it_alone(self):
        self.assertEqual([self.say("take", who, 60000) for who in "aab"], [1, 1, 0])
        self.assertEqual([self.say("keep", "b"), self.say("leave", "b")], [0, 0])
        self.assertEqual(self.redis.cli("GET", KEY), b"a")
        self.assertTrue(59000 < self.redis.cli("PTTL", KEY) <= 60000)
        self.assertEqual(self.say("keep", "a", 90000), 1)
        self.assertTrue(89000 < self.redis.cli("PTTL", KEY) <= 90000)
        self.assertEqual([self.say("leave", "a"), self.say("leave", "a"), self.say("keep", "a")], [1, 0, 0])
        self.assertEqual(self.say("take", "b"), 1)

    def test_ends_by_itself(self):
        self.assertEqual(self.say("take", "a", 1), 1)
        wait_until(lambda: self.say("take", "b") == 1, "the lock ends")
        self.assertEqual(self.say("keep", "a"), 0)

    def test_of_many_at_once_one_takes_it(self):
        def one(index):
            with self.redis.connect() as client:
                return client.command("EVALSHA", self.sha, 1, KEY, "take", index, 60000)
        self.assertEqual(sum(in_parallel(16, one)), 1)

    def test_what_is_no_string_is_not_to_be_had(self):
        self.redis.cli("LPUSH", KEY, "a")
        self.assertEqual([self.say(operation, "a") for operation in ("take", "keep", "leave")], [0, 0, 0])

    def test_the_word_of_a_redis_that_cannot_write_is_the_first(self):
        self.redis.cli("CONFIG", "SET", "maxmemory", 1)
        with self.assertRaises(RedisError) as caught:
            self.say("take", "a")
        self.assertEqual(caught.exception.code, "OOM")

    # ---- what the look-up saw, and what lies there ----

    def put(self, key, there):
        self.redis.cli("DEL", key)
        if there is not None:
            self.redis.cli("SET", key, there)

    def is_changed(self, *seen):
        """As the one that takes it is told, as it is told once more, and as another is told."""
        keys = [KEY, BASE] + ([AT_VARIANT] if len(seen) == 3 else [])
        self.redis.cli("DEL", KEY)
        answers = [self.redis.cli("EVALSHA", self.sha, len(keys), *keys, "take", who, 60000, *seen) for who in "aab"]
        self.assertIn(answers, ([1, 1, 0], [3, 3, 2]))
        return answers[0] == 3

    def test_tells_whether_the_base_is_what_was_seen(self):
        a = b"a" * 8
        rows = [
            # there, version seen, changed
            (None, b"", False),
            (value(b"F", b"a"), b"", True),
            (value(b"T", b"a"), b"", True),
            (value(b"F", b"a"), a, False),
            (value(b"F", b"b"), a, True),
            (None, a, True),
            (b"foreign", b"", False),
            (b"foreign", a, True),
            (value(b"F", b"a")[:39], b"", False),
            (value(b"I", b"a", [b"v"]), a, False),
        ]
        for there, seen, changed in rows:
            with self.subTest(there=there, seen=seen):
                self.put(BASE, there)
                self.assertEqual(self.is_changed(seen), changed)
        self.redis.cli("DEL", BASE)
        self.redis.cli("LPUSH", BASE, "x")
        self.assertEqual([self.is_changed(b""), self.is_changed(a)], [False, True])

    def test_tells_whether_the_variant_is_what_was_seen(self):
        a, x = b"a" * 8, b"x" * 8
        rows = [
            # the index lists, at the variant's key, version seen there, changed
            ([b"v"], value(b"F", b"x"), x, False),
            ([b"o", b"p", b"q", b"v"], value(b"F", b"x"), x, False),
            ([b"v"], value(b"F", b"y"), x, True),
            ([b"v"], None, x, True),
            ([b"o"], value(b"F", b"x"), x, True),
            ([b"o"], None, b"", False),
            ([b"o"], value(b"F", b"x"), b"", False),
            ([], value(b"F", b"x"), b"", False),
            ([b"o", b"v"], value(b"F", b"x"), b"", True),
            ([bytes([letter]) for letter in range(97, 112)] + [b"v"], value(b"F", b"x"), x, False),
        ]
        for variants, there, seen, changed in rows:
            with self.subTest(variants=variants, there=there, seen=seen):
                self.put(BASE, value(b"I", b"a", variants))
                self.put(AT_VARIANT, there)
                self.assertEqual(self.is_changed(a, VARIANT, seen), changed)
                self.assertTrue(self.is_changed(b"b" * 8, VARIANT, seen), "the index is another")
        self.put(BASE, None)
        self.assertTrue(self.is_changed(a, VARIANT, x))

    def test_reads_no_more_than_it_needs(self):
        """What lies there may be large."""
        self.put(BASE, value(b"F", b"a") + b"x" * (1 << 20))
        self.assertFalse(self.is_changed(b"a" * 8))
        calls = self.redis.cli("INFO", "commandstats").decode()
        self.assertIn("cmdstat_getrange:", calls)
        self.assertEqual(calls.count("cmdstat_get:calls=2"), 1, "only the lock")


if __name__ == "__main__":
    unittest.main(verbosity=2)
