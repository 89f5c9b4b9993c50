"""lease.lua as README.md has it: who fetches a key, over all instances."""
import unittest

from bucket import source
from redis_stage import RedisError, RedisServer
from stage import in_parallel, wait_until

KEY = "gw:lock:0a:{1b}"


class Lease(unittest.TestCase):
    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)
        self.sha = self.redis.cli("SCRIPT", "LOAD", source("lease.lua")).decode()

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
        wait_until(lambda: self.say("take", "b") == 1, "the lease ends")
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
