"""The users that README.md gives: each may do all that a gateway does in its role, and nothing else that matters."""
import os
import re
import unittest

import frame
from bucket import source
from redis_stage import RedisError, RedisServer
from stage import ROOT

BUCKET, STORE = source("token_bucket.lua"), source("store.lua")
RL, BASE, TOMB = "gw:rl:default:1-100000-20:192.0.2.1", "gw:cache:0a:{1b}", frame.tombstone(b"version1", 90000)
EVERY = [("PING",), ("SELECT", 0), ("CLIENT", "SETNAME", "gw"), ("CLIENT", "ID"), ("TIME",), ("INFO", "replication"), ("SCRIPT", "LOAD", "return 1")]
LIMITS = [("EVAL", BUCKET, 1, RL, 1, 100000, 20, 1), ("EVALSHA", "sha:" + BUCKET, 1, RL, 1, 100000, 20, 1),
          ("ZADD", "gw:instances", 1, "a"), ("ZCARD", "gw:instances"), ("ZREMRANGEBYSCORE", "gw:instances", "-inf", 0), ("ZREM", "gw:instances", "b"),
          ("PEXPIRE", "gw:instances", 1000),
          ("EVAL", "local t = redis.call('TIME') redis.call('ZADD', KEYS[1], t[1], ARGV[1]) redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', 0)"
                   " redis.call('PEXPIRE', KEYS[1], 1000) return redis.call('ZCARD', KEYS[1])", 1, "gw:instances", "a")]
CACHE = [("SET", BASE, TOMB, "PX", 90000), ("PTTL", BASE), ("GET", BASE), ("EVAL", STORE, 1, BASE, "version1", 90000, TOMB),
         ("EVALSHA", "sha:" + STORE, 1, BASE, "version1", 90000, TOMB), ("EVAL", STORE, 1, BASE, "version1", 0, ""), ("DEL", BASE),
         ("SET", "gw:lock:x", "id", "NX", "PX", 500), ("PEXPIRE", "gw:lock:x", 500), ("DEL", "gw:lock:x"),
         ("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "gw:cache:", "PREFIX", "gw:purge:"), ("CLIENT", "TRACKING", "OFF"),
         ("SUBSCRIBE", "__redis__:invalidate"), ("UNSUBSCRIBE", "__redis__:invalidate")]
NEVER = [("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("SET", "other", 1), ("GET", "other"), ("EVAL", "return redis.call('SET', 'other', 1)", 0),
         ("SUBSCRIBE", "else"), ("PUBLISH", "__redis__:invalidate", "x"), ("ACL", "LIST"), ("SHUTDOWN",), ("REPLICAOF", "NO", "ONE"),
         ("SCRIPT", "FLUSH"), ("CLIENT", "KILL", "ID", 1)]
ROLES = {"gateway-limits": (LIMITS, CACHE[:3] + [("SUBSCRIBE", "__redis__:invalidate")]), "gateway-cache": (CACHE, LIMITS[:1] + LIMITS[2:3]),
         "gateway": (LIMITS + CACHE, [])}


def lines():
    with open(os.path.join(ROOT, "redis", "README.md"), encoding="utf-8") as file:
        return [line.split() for line in re.findall(r"^    (ACL SETUSER .*)$", file.read(), re.M)]


class Users(unittest.TestCase):
    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)

    def test_may_do_their_work_and_no_more(self):
        self.assertEqual({line[2] for line in lines()}, set(ROLES))
        for line in lines():
            self.redis.cli(*line)
        for user, (may, may_not) in ROLES.items():
            password = next(word[1:] for line in lines() if line[2] == user for word in line if word.startswith(">"))
            with self.redis.connect(user=user, password=password) as client:
                for command in EVERY + may:
                    with self.subTest(user=user, command=command):
                        self.assertNotIsInstance(self.told(client, command), RedisError)
                for command in NEVER + may_not:
                    with self.subTest(user=user, refused=command):
                        told = self.told(client, command)
                        self.assertIsInstance(told, RedisError)
                        self.assertRegex(str(told), r"NOPERM|ACL failure|can't run this command|can't access|No permissions")

    def told(self, client, command):
        """A script is named by its digest after it was loaded."""
        if command[0] == "EVALSHA":
            command = (command[0], client.command("SCRIPT", "LOAD", command[1][4:]).decode(), *command[2:])
        client.send(*command)
        return client.read()

    def test_hear_of_changed_keys_on_the_channel(self):
        """The invalidation pair: one connection tracks and redirects, another is subscribed."""
        for line in lines():
            self.redis.cli(*line)
        password = next(word[1:] for line in lines() if line[2] == "gateway-cache" for word in line if word.startswith(">"))
        with self.redis.connect(user="gateway-cache", password=password) as hears, self.redis.connect(user="gateway-cache", password=password) as tracks:
            number = hears.command("CLIENT", "ID")
            self.assertEqual(hears.command("SUBSCRIBE", "__redis__:invalidate")[0], b"subscribe")
            tracks.command("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", "PREFIX", "gw:cache:", "PREFIX", "gw:purge:")
            self.redis.cli("SET", "gw:instances", 1)
            self.redis.cli("EVAL", STORE, 1, BASE, "", 90000, TOMB)
            self.assertEqual(hears.read(), [b"message", b"__redis__:invalidate", [BASE.encode()]])
            self.redis.cli("FLUSHALL")
            self.assertEqual(hears.read(), [b"message", b"__redis__:invalidate", None])


if __name__ == "__main__":
    unittest.main(verbosity=2)
