"""store.lua and the format of what lies below gw:cache:, as README.md has them."""
import os
import re
import struct
import unittest

import frame
from bucket import source
from redis_stage import RedisError, RedisServer
from stage import ROOT, in_parallel

KEY = "gw:cache:0a:{1b}"
V1, V2, V3 = b"version1", b"version2", b"\0\xff\r\n\0\0\0\x01"
BODY = b"\0\r\n\xff" * 100


class Store(unittest.TestCase):
    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)
        self.sha = self.redis.cli("SCRIPT", "LOAD", source("store.lua")).decode()

    def words(self, seen, value, life_ms):
        return "EVALSHA", self.sha, 1, KEY, seen, life_ms, value

    def put(self, seen, version, life_ms=300000, **more):
        return self.redis.cli(*self.words(seen, frame.frame(version, life_ms, body=BODY, **more), life_ms))

    def lies(self):
        return frame.parse(self.redis.cli("GET", KEY))

    def test_writes_only_over_what_the_look_up_saw(self):
        self.assertEqual(self.put(b"", V1), 1)
        self.assertEqual(self.put(b"", V2), 0)  # saw nothing, but somebody stored meanwhile
        self.assertEqual(self.put(V2, V3), 0)
        self.assertEqual(self.lies()["version"], V1)
        self.assertEqual(self.put(V1, V3), 1)
        self.assertEqual(self.put(V1, V2), 0)
        self.assertEqual((self.lies()["version"], self.lies()["body"]), (V3, BODY))
        self.redis.cli("DEL", KEY)
        self.assertEqual(self.put(V3, V2), 1)  # what was seen expired during the fetch

    def test_expires_after_its_life(self):
        self.put(b"", V1, 300000)
        self.assertTrue(299000 < self.redis.cli("PTTL", KEY) <= 300000)
        self.assertEqual(self.redis.cli("TTL", KEY), 300)

    def test_stores_nothing_that_was_fetched_before_a_tombstone(self):
        self.put(b"", V1)
        self.redis.cli("SET", KEY, frame.tombstone(V2, 90000), "PX", 90000)
        self.assertEqual([self.put(seen, V3) for seen in (b"", V1)], [0, 0])
        self.assertEqual(self.lies()["kind"], frame.TOMBSTONE)
        self.assertEqual(self.put(V2, V3), 1)  # fetched after it

    def test_never_shortens_a_life_so_that_a_tombstone_holds_to_its_end(self):
        self.redis.cli("SET", KEY, frame.tombstone(V1, 90000), "PX", 90000)
        self.assertEqual(self.put(V1, V2, 1000), 1)
        left, lies = self.redis.cli("PTTL", KEY), self.lies()
        self.assertTrue(89000 < left <= lies["life_ms"] <= 90000)
        self.assertEqual((lies["body"], lies["version"]), (BODY, V2))
        self.assertEqual(self.put(V2, V3, 500), 1)
        self.assertTrue(left - 1000 < self.redis.cli("PTTL", KEY) <= self.lies()["life_ms"] <= left)
        self.assertEqual(self.put(V3, V1, 200000), 1)
        self.assertEqual(self.lies()["life_ms"], 200000)

    def test_a_life_that_somebody_took_away_or_drew_out_stays_within_the_format(self):
        self.put(b"", V1)
        self.redis.cli("PERSIST", KEY)
        self.assertEqual(self.put(V1, V2, 1000), 1)
        self.assertTrue(0 < self.redis.cli("PTTL", KEY) <= 1000)
        self.redis.cli("PEXPIRE", KEY, 10 ** 12)
        self.assertEqual(self.put(V2, V3, 1000), 1)
        self.assertEqual(self.lies()["life_ms"], 2 ** 31 - 1)
        self.assertLessEqual(self.redis.cli("PTTL", KEY), 2 ** 31 - 1)

    def test_writes_over_what_is_foreign(self):
        whole = frame.frame(V1, 1000)
        for command, *words in (("SET", b"hello"), ("SET", b""), ("SET", b"GWC2" + whole[4:]), ("SET", whole[:39]), ("RPUSH", b"a"), ("HSET", b"a", b"b")):
            for seen in (b"", V2):
                self.redis.cli("DEL", KEY)
                self.redis.cli(command, KEY, *words)
                with self.subTest(command=command, words=words, seen=seen):
                    self.assertEqual(self.put(seen, V1), 1)
                    self.assertEqual(self.lies()["version"], V1)

    def test_deletes_only_what_the_look_up_saw(self):
        self.put(b"", V1)
        self.assertEqual(self.redis.cli(*self.words(V2, b"", 0)), 0)
        self.assertEqual(self.redis.cli(*self.words(b"", b"", 0)), 0)
        self.assertEqual(self.redis.cli("EXISTS", KEY), 1)
        self.assertEqual(self.redis.cli(*self.words(V1, b"", 0)), 1)
        self.redis.cli("LPUSH", KEY, "a")
        self.assertEqual(self.redis.cli(*self.words(b"", b"", 0)), 1)
        self.assertEqual(self.redis.cli("EXISTS", KEY), 0)
        self.assertEqual(self.redis.cli(*self.words(b"", b"", 0)), 0)

    def test_of_many_that_fetched_for_one_miss_one_stores(self):
        for attempt in range(20):
            self.redis.cli("DEL", KEY)
            seen = b"" if attempt % 2 else V1
            if seen:
                self.put(b"", V1)

            def one(index):
                version = struct.pack("<LL", attempt, index)
                with self.redis.connect() as client:
                    return version, client.command(*self.words(seen, frame.frame(version, 60000, body=version * 500), 60000))
            stored = [version for version, reply in in_parallel(16, one) if reply == 1]
            self.assertEqual(len(stored), 1)
            self.assertEqual((self.lies()["version"], self.lies()["body"]), (stored[0], stored[0] * 500))

    def test_fetches_racing_with_purges_leave_nothing_older_than_the_last_purge(self):
        for attempt in range(6):
            self.race(attempt)

    def race(self, attempt):
        """Writers look up, fetch what the backend says then, store; the purger changes what it says and sets a tombstone."""
        says = [0]

        def one(index):
            with self.redis.connect() as client:
                for turn in range(40):
                    version = struct.pack("<LHH", attempt, index, turn)
                    if index == 0 and turn < 20:
                        says[0] += 1
                        client.command("SET", KEY, frame.tombstone(version, 60000), "PX", 60000)
                    elif index:
                        found = client.command("GET", KEY)
                        body = b"%d" % says[0]
                        client.command(*self.words(found[8:16] if found else b"", frame.frame(version, 60000, body=body), 60000))
        in_parallel(10, one)
        lies = self.lies()
        self.assertTrue(lies["kind"] == frame.TOMBSTONE or int(lies["body"]) == says[0], lies)

    def test_where_redis_cannot_write_its_word_is_the_first_and_what_lies_there_stays(self):
        self.put(b"", V1)
        self.redis.cli("CONFIG", "SET", "maxmemory", 1)
        self.assertEqual(self.fault(), "OOM")
        self.redis.cli("CONFIG", "SET", "maxmemory", 0)
        self.redis.cli("REPLICAOF", "127.0.0.1", 1)
        self.assertEqual(self.fault(), "READONLY")
        self.assertEqual(self.lies()["version"], V1)
        self.redis.cli("SCRIPT", "FLUSH")
        self.assertEqual(self.fault(), "NOSCRIPT")

    def fault(self):
        with self.assertRaises(RedisError) as caught:
            self.put(V1, V2)
        return caught.exception.code

    def test_a_large_body_is_stored_as_it_is(self):
        body = os.urandom(1 << 20)
        value = frame.MAGIC + b"F" + bytes(3) + V1 + struct.pack("<LLQ", 1000, 0, 0) + body
        self.assertEqual(self.redis.cli(*self.words(b"", value, 1000)), 1)
        self.assertEqual(self.redis.cli("GET", KEY), value)


class TheFormat(unittest.TestCase):
    def test_is_what_the_page_says(self):
        with open(os.path.join(ROOT, "redis", "README.md"), encoding="utf-8") as file:
            page = file.read()
        found = [bytes.fromhex(re.sub(r"\s", "", block)) for block in re.findall(r"(?:^    [0-9a-f]{60,}\n)+", page, re.M)]
        found += [found[1][40:]]
        whole = frame.frame(bytes(range(1, 9)), 300000, 200, [(b"Content-Type", b"text/plain"), (b"Vary", b"Accept-Language, Accept")], b"hello\n", age_s=2,
                            url=b"/greeting?lang=de", selection=[(b"accept-language", b"de"), (b"accept", None)])
        self.assertEqual(found[0], whole)
        self.assertEqual(len(whole), 193)
        self.assertEqual(found[1][:40], frame.tombstone(bytes(range(1, 9)), 90000))
        self.assertEqual(found[2], frame.marker(bytes(range(1, 9)), 10000))
        for text, check in re.findall(r'`"(\w*(?: \w+)*)"` ([0-9A-F]{16})', page):
            self.assertEqual(frame.xxh64(text.encode()), int(check, 16))

    def test_a_bit_that_turned_or_a_byte_that_is_missing_is_found(self):
        whole = frame.frame(V1, 300000, fields=[(b"A", b"b")], body=b"hello", selection=[(b"c", None)], reason=b"OK", tags=b"x y")
        frame.parse(whole)
        free = set(range(16, 20))  # the life may be raised
        for at in range(len(whole)):
            if at not in free:
                with self.subTest(at), self.assertRaises(frame.Bad):
                    frame.parse(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1:])
            with self.assertRaises(frame.Bad):
                frame.parse(whole[:at])
        with self.assertRaises(frame.Bad):
            frame.parse(whole + b"\0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
