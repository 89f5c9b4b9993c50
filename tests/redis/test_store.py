"""store.lua and the format of what lies below gw:cache:, as README.md has them."""
import hashlib
import os
import random
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
index = frame.index
IDS = [bytes([number]) * 15 + b"\n" for number in range(20)]
VARIANTS = frame.VARIANTS


def key_of(variant):
    return "%s:%s" % (KEY, variant.hex())


def with_life(value, life_ms):
    return value[:16] + struct.pack("<L", life_ms) + value[20:]


class Redis(unittest.TestCase):
    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)
        self.sha = self.redis.cli("SCRIPT", "LOAD", source("store.lua")).decode()

    def words(self, seen, value, life_ms):
        return "EVALSHA", self.sha, 1, KEY, seen, life_ms, value

    def put_variant(self, seen, generation, variant, life_ms=300000, names=b"accept", value=b"value"):
        return self.redis.cli("EVALSHA", self.sha, 2, KEY, key_of(variant), seen, life_ms, index(generation, life_ms, names), variant, value)

    def left(self, key=KEY):
        return self.redis.cli("PTTL", key)

    def keys(self):
        return {key.decode() for key in self.redis.cli("KEYS", "*")}


class Store(Redis):

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
        for command, *words in (("SET", b"hello"), ("SET", b""), ("SET", b"GWC0" + whole[4:]), ("SET", whole[:39]), ("RPUSH", b"a"), ("HSET", b"a", b"b")):
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
        """Writers look up, fetch what the backend says then, store; the thread that purges changes what it says and sets a tombstone."""
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


class Variants(Redis):
    def assert_lies(self, version, variants, names=b"accept"):
        lies = self.redis.cli("GET", KEY)
        self.assertEqual(lies, index(version, struct.unpack_from("<L", lies, 16)[0], names, variants))
        self.assertTrue(0 < self.left() <= struct.unpack_from("<L", lies, 16)[0])

    def test_the_first_makes_the_index_and_others_join_it(self):
        self.assertEqual(self.put_variant(b"", V1, IDS[0]), 1)
        self.assertEqual(self.put_variant(V1, V1, IDS[1], value=b"other"), 1)
        self.assert_lies(V1, [IDS[1], IDS[0]])
        self.assertEqual([self.redis.cli("GET", key_of(variant)) for variant in IDS[:3]], [b"value", b"other", None])
        self.assertEqual(self.put_variant(V1, V1, IDS[0], value=b"newer"), 1)
        self.assert_lies(V1, [IDS[0], IDS[1]])
        self.assertEqual(self.redis.cli("GET", key_of(IDS[0])), b"newer")

    def test_the_seventeenth_sends_away_the_one_stored_longest_ago(self):
        for turn, variant in enumerate(IDS):
            self.assertEqual(self.put_variant(V1 if turn else b"", V1, variant), 1)
            listed = IDS[:turn + 1][::-1][:VARIANTS]
            self.assert_lies(V1, listed)
            self.assertEqual(self.keys(), {KEY, *map(key_of, listed)})

    def test_the_base_lives_as_long_as_the_longest_of_them(self):
        for life_ms, least in ((100000, 99000), (300000, 299000), (200000, 299000)):
            for variant in IDS[:2]:
                self.assertEqual(self.put_variant(V1 if self.keys() else b"", V1, variant, life_ms), 1)
                self.assertTrue(least < self.left() <= max(300000 if least > 200000 else life_ms, life_ms))
                self.assertTrue(life_ms - 1000 < self.left(key_of(variant)) <= life_ms)
                self.assert_lies(V1, [variant, *(one for one in IDS[:2] if one != variant and key_of(one) in self.keys())])

    def test_an_index_that_was_not_seen_is_not_written_over(self):
        self.assertEqual(self.put_variant(b"", V1, IDS[0]), 1)
        for seen in (b"", V2):
            self.assertEqual(self.put_variant(seen, V2, IDS[1]), 0)
            self.assertEqual(self.redis.cli(*self.words(seen, frame.frame(V2, 1000), 1000)), 0)
        self.assert_lies(V1, [IDS[0]])
        self.assertEqual(self.keys(), {KEY, key_of(IDS[0])})

    def test_a_frame_that_happens_to_have_the_generation_is_no_index(self):
        self.redis.cli("SET", KEY, frame.frame(V1, 60000), "PX", 60000)
        self.assertEqual(self.put_variant(V2, V1, IDS[0]), 0)
        self.assertEqual(self.put_variant(V1, V1, IDS[0]), 1)
        self.assert_lies(V1, [IDS[0]])

    def test_what_replaces_an_index_takes_its_variants_with_it(self):
        rows = {"other names": lambda: self.put_variant(V1, V2, IDS[5], names=b"accept,cookie"),
                "a frame": lambda: self.redis.cli(*self.words(V1, frame.frame(V2, 1000), 1000)),
                "nothing": lambda: self.redis.cli(*self.words(V1, b"", 0))}
        for what, replace in rows.items():
            with self.subTest(what):
                self.redis.cli("FLUSHALL")
                for variant in IDS[:3]:
                    self.put_variant(V1 if self.keys() else b"", V1, variant)
                self.redis.cli("SET", key_of(IDS[4]), "of somebody else", "PX", 60000)
                self.assertEqual(replace(), 1)
                self.assertEqual(self.keys() - {KEY}, {key_of(IDS[4])} | ({key_of(IDS[5])} if what == "other names" else set()))

    def test_nothing_fetched_before_a_tombstone_is_stored_after_it(self):
        self.put_variant(b"", V1, IDS[0])
        self.redis.cli("SET", KEY, frame.tombstone(V2, 90000), "PX", 90000)
        self.assertEqual([self.put_variant(seen, generation, IDS[0]) for seen in (b"", V1) for generation in (V1, V3)], [0] * 4)
        self.assertEqual(self.put_variant(V2, V3, IDS[0], 1000), 1)
        self.assert_lies(V3, [IDS[0]])
        self.assertTrue(89000 < self.left() <= 90000)
        self.assertTrue(self.left(key_of(IDS[0])) <= 1000)

    def test_without_memory_nothing_is_half_done(self):
        for variant in IDS[:VARIANTS]:
            self.put_variant(V1 if self.keys() else b"", V1, variant)
        before, keys = self.redis.cli("GET", KEY), self.keys()
        self.redis.cli("CONFIG", "SET", "maxmemory", 1)
        for seen, generation, variant in ((V1, V1, IDS[15]), (V1, V1, IDS[0]), (V1, V1, IDS[17]), (V1, V2, IDS[17])):
            with self.assertRaises(RedisError) as caught:
                self.put_variant(seen, generation, variant, value=b"other" * 1000)
            self.assertEqual(caught.exception.code, "OOM")
            self.assertEqual((self.redis.cli("GET", KEY), self.keys()), (before, keys))
        self.assertEqual({self.redis.cli("GET", key) for key in keys - {KEY}}, {b"value"})

    def test_an_index_that_somebody_patched_does_no_harm(self):
        whole = index(V1, 60000, b"accept", IDS[:3])
        for lies in (whole[:40], whole[:41], whole[:45], whole[:-3], whole + bytes(5000), whole[:40] + b"\xff\xff" + whole[42:]):
            for generation in (V1, V2):
                self.redis.cli("SET", KEY, lies, "PX", 60000)
                with self.subTest(lies=lies, generation=generation):
                    self.assertEqual(self.put_variant(V1, generation, IDS[7]), 1)
                    self.assertEqual(self.redis.cli("GET", key_of(IDS[7])), b"value")
                    self.assertLessEqual(len(self.redis.cli("GET", KEY)), 42 + 512 + 16 * VARIANTS)
        self.assertEqual(self.redis.cli(*self.words(V1, b"", 0)), 0)

    def test_variants_racing_with_purges_leave_nothing_older_than_the_last_purge(self):
        says = [0]

        def one(writer):
            with self.redis.connect() as client:
                for turn in range(60):
                    version = struct.pack("<LL", writer, turn)
                    if writer == 0 and turn < 30:
                        says[0] += 1
                        client.command("SET", KEY, frame.tombstone(version, 60000), "PX", 60000)
                    elif writer:
                        lies, body, variant = client.command("GET", KEY) or b"", b"%d" % says[0], IDS[writer % 3]
                        generation = lies[8:16] if lies[4:5] == b"I" else version
                        client.command("EVALSHA", self.sha, 2, KEY, key_of(variant), lies[8:16], 60000, index(generation, 60000), variant, generation + body)
        in_parallel(8, one)
        lies = self.redis.cli("GET", KEY)
        for variant in IDS[:3]:
            value = self.redis.cli("GET", key_of(variant))
            if lies[4:5] == b"I" and value[:8] == lies[8:16]:
                self.assertEqual(int(value[8:]), says[0])


class Model:
    """What README.md says of "Store", in Python. Lives are so long that nothing ends by itself."""

    def __init__(self):
        self.base, self.left, self.variants = None, -1, {}

    @property
    def version(self):
        return self.base[8:16] if self.base and len(self.base) >= 40 and self.base[:4] == frame.MAGIC else b""

    @property
    def is_index(self):
        return self.version and self.base[4:5] == b"I"

    def listed(self):
        if not self.is_index:
            return []
        start = 42 + struct.unpack_from("<H", self.base, 40)[0]
        return [self.base[at:at + 16] for at in range(start, len(self.base), 16)]

    def write(self, value, life_ms):
        self.left = max(life_ms, self.left if self.version else -1)
        self.base = with_life(value, self.left)

    def end(self, variants):
        for variant in variants:
            self.variants.pop(variant, None)

    def put(self, seen, life_ms, value):
        if self.version not in (b"", seen):
            return 0
        self.end(self.listed())
        was_there = self.base is not None
        if value:
            self.write(value, life_ms)
        else:
            self.base = None
        return 1 if value else int(was_there)

    def put_variant(self, seen, generation, variant, life_ms, names, value):
        ids = [variant]
        if self.is_index and self.version == generation:
            ids += [one for one in self.listed() if one != variant]
            self.end(ids[VARIANTS:])
            self.write(self.base[:42 + struct.unpack_from("<H", self.base, 40)[0]] + b"".join(ids[:VARIANTS]), life_ms)
        elif self.version not in (b"", seen):
            return 0
        else:
            self.end(self.listed())
            self.write(index(generation, life_ms, names, ids), life_ms)
        self.variants[variant] = (value, life_ms)
        return 1


class AgainstTheModel(Redis):
    STEPS = 3000

    def test_does_as_the_model(self):
        seed = random.randrange(1 << 32)
        self.dice, self.model, said = random.Random(seed), Model(), []
        for turn in range(self.STEPS):
            said.append(self.step())
            with self.subTest(seed=seed, turn=turn, last=said[-3:]):
                self.compare()

    def step(self):
        dice, model = self.dice, self.model
        version, life_ms = dice.randbytes(8), dice.randrange(1, 40) * 100000
        seen = dice.choice([b"", model.version, model.version, model.version, version])
        what = dice.choice(["variant"] * 12 + ["frame", "delete", "tombstone", "foreign", "evict", "evict one"])
        if what == "variant":
            generation = dice.choice([model.version or version] * 5 + [version])
            words = (seen, generation, dice.choice(IDS), life_ms, dice.choice([b"", b"accept", b"accept,cookie"]), dice.randbytes(dice.randrange(1, 50)))
            self.assertEqual(self.put_variant(*words), model.put_variant(*words))
        elif what in ("frame", "delete"):
            value = frame.frame(version, life_ms, body=BODY) if what == "frame" else b""
            self.assertEqual(self.redis.cli(*self.words(seen, value, life_ms)), model.put(seen, life_ms, value))
        elif what == "tombstone":
            model.base, model.left = frame.tombstone(version, life_ms), life_ms
            self.redis.cli("SET", KEY, model.base, "PX", life_ms)
        elif what == "foreign":
            model.base, model.left = b"hello", life_ms
            self.redis.cli("SET", KEY, model.base, "PX", life_ms)
        elif what == "evict":
            model.base = None
            self.redis.cli("DEL", KEY)
        elif model.variants:
            gone = dice.choice(sorted(model.variants))
            del model.variants[gone]
            self.redis.cli("DEL", key_of(gone))
        return what

    def compare(self):
        model, lies = self.model, self.redis.cli("GET", KEY)
        if model.version:  # what is left of a life shows in the value, a little less with each moment
            told = struct.unpack_from("<L", lies, 16)[0]
            self.assertTrue(0 <= model.left - told < 50000 and 0 <= told - self.left() < 50000, (model.left, told, self.left()))
            model.base, model.left = with_life(model.base, told), told
        self.assertEqual(lies, model.base)
        self.assertEqual(self.keys() - {KEY}, {key_of(variant) for variant in model.variants})
        for variant, (value, life_ms) in model.variants.items():
            self.assertEqual(self.redis.cli("GET", key_of(variant)), value)
            self.assertTrue(0 <= life_ms - self.left(key_of(variant)) < 50000)


class TheFormat(unittest.TestCase):
    def test_is_what_the_page_says(self):
        with open(os.path.join(ROOT, "redis", "README.md"), encoding="utf-8") as file:
            page = file.read()
        found = b"".join(bytes.fromhex(re.sub(r"\s", "", block)) for block in re.findall(r"^    [0-9a-f]{60,}$", page, re.M))
        selection, one, two = [(b"accept-language", b"de"), (b"accept", None)], bytes(range(1, 9)), bytes(range(9, 17))
        whole = frame.frame(one, 360000, 200, [(b"Content-Type", b"text/plain"), (b"Vary", b"Accept-Language, Accept"), (b"Surrogate-Key", b"greeting")],
                            b"hello\n", age_s=2, ban=0x060a1b2c3d4e5f, url=b"http://example.com/greeting?lang=de", tags=b"greeting", selection=selection,
                            flags=("is_explicit", "has_validator"), revalidate_s=30, window_s=60, generation=two)
        self.assertEqual(len(whole), 270)
        variant = hashlib.sha256(frame.variant_text(selection)).digest()[:16]
        listed = index(two, 360000, b"accept-language,accept", [variant])
        self.assertEqual(found, whole + listed + frame.tombstone(one, 90000) + frame.marker(one, 10000))
        for text, check in re.findall(r'`"(\w*(?: \w+)*)"` ([0-9A-F]{16})', page):
            self.assertEqual(frame.xxh64(text.encode()), int(check, 16))

    def test_a_bit_that_turned_or_a_byte_that_is_missing_is_found(self):
        whole = frame.frame(V1, 300000, fields=[(b"A", b"b")], body=b"hello", selection=[(b"c", None)], reason=b"OK", tags=b"x y")
        listed = index(V1, 300000, b"accept,cookie", IDS[:2])
        free = set(range(16, 20))  # the life may be raised, and the list is not checked
        for value, checked in ((whole, len(whole)), (listed, len(listed) - 32)):
            frame.parse(value)
            for at in range(checked):
                if at not in free:
                    with self.subTest(at), self.assertRaises(frame.Bad):
                        frame.parse(value[:at] + bytes([value[at] ^ 1 << at % 8]) + value[at + 1:])
                with self.assertRaises(frame.Bad):
                    frame.parse(value[:at])
            with self.assertRaises(frame.Bad):
                frame.parse(value + b"\0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
