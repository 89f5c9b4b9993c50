"""What lies in Redis below gw:cache:, written from redis/README.md alone: the C code has its own, and both must agree."""
import re
import struct

MAGIC = b"GWC2"
FRAME, TOMBSTONE, MARKER, INDEX = b"F", b"T", b"M", b"I"
HEADER_BYTES, SHORT_BYTES, LIST_BYTES, FIXED_BYTES = 32, 40, 42, 96
FLAGS = "for_authorization", "is_explicit", "must_validate", "no_stale", "has_validator", "keeps_set_cookie"
NAMES_BYTES, VARIANT_BYTES, VARIANTS = 512, 16, 16
ABSENT = 0xffffffff
MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = 11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261


class Bad(ValueError):
    """Not a value that this format allows: a look-up counts it and treats it as a miss."""


def turn(value, bits):
    value &= MASK
    return (value << bits | value >> (64 - bits)) & MASK


def mix(lane, word):
    return turn(lane + word * P2, 31) * P1 & MASK


def xxh64(data, seed=0):
    at, size = 0, len(data)
    if size >= 32:
        lanes = [seed + P1 + P2, seed + P2, seed, seed - P1]
        for at in range(0, size - 31, 32):
            lanes = [mix(lane, word) for lane, word in zip(lanes, struct.unpack_from("<4Q", data, at))]
        at += 32
        value = turn(lanes[0], 1) + turn(lanes[1], 7) + turn(lanes[2], 12) + turn(lanes[3], 18)
        for lane in lanes:
            value = (value ^ mix(0, lane)) * P1 + P4
    else:
        value = seed + P5
    value = (value + size) & MASK
    for at in range(at, size - 7, 8):
        value = turn(value ^ mix(0, *struct.unpack_from("<Q", data, at)), 27) * P1 + P4
    at = size & ~7
    if size - at >= 4:
        value = turn((value & MASK) ^ struct.unpack_from("<L", data, at)[0] * P1 & MASK, 23) * P2 + P3
        at += 4
    for byte in data[at:]:
        value = turn((value & MASK) ^ byte * P5 & MASK, 11) * P1
    value &= MASK
    value = (value ^ value >> 33) * P2 & MASK
    value = (value ^ value >> 29) * P3 & MASK
    return value ^ value >> 32


def wrapped(kind, version, life_ms, rest):
    assert len(version) == 8
    check = xxh64(rest, int.from_bytes(version, "little"))
    return MAGIC + kind + bytes(3) + version + struct.pack("<LLQ", life_ms, 0, check) + rest


def tombstone(version, life_ms):
    return wrapped(TOMBSTONE, version, life_ms, struct.pack("<LL", 0, 0))


def marker(version, life_ms, holds_s=10):
    return wrapped(MARKER, version, life_ms, struct.pack("<LL", 0, holds_s))


def index(version, life_ms, names=b"accept", variants=()):
    """The check ends before the variants."""
    return wrapped(INDEX, version, life_ms, struct.pack("<LLH", 0, 0, len(names)) + names) + b"".join(variants)


def packed(fields):
    return b"".join(struct.pack("<HL", len(name), ABSENT if value is None else len(value)) + name + (value or b"") for name, value in fields)


def frame(version, life_ms, status=200, fields=(), body=b"", age_s=0, freshness_s=300, ban=0, reason=b"OK", url=b"http://example.com/", tags=b"", selection=(),
          named=None, flags=("is_explicit",), revalidate_s=0, on_error_s=0, window_s=0, generation=bytes(8)):
    named = len(selection) if named is None else named
    bits = sum(1 << FLAGS.index(flag) for flag in flags)
    rest = struct.pack("<LLQHHHHHHLLLLLLL", age_s, freshness_s, ban, status, len(fields), len(selection), named, bits, len(reason), len(url), len(tags), len(body),
                       revalidate_s, on_error_s, window_s, 0) + generation
    return wrapped(FRAME, version, life_ms, rest + reason + url + tags + packed(fields) + packed(selection) + body)


def variant_text(selection):
    """Whose SHA-256 names a variant; of a text this short."""
    text = b"\0" + b"".join(struct.pack("<L", len(name)) + name + struct.pack("<L", ABSENT if value is None else len(value)) + (value or b"")
                            for name, value in selection)
    assert len(text) <= 1024
    return text


def unpack(data, at, count):
    fields = []
    for _ in range(count):
        if at + 6 > len(data):
            raise Bad("a field's lengths are cut")
        names, values = struct.unpack_from("<HL", data, at)
        absent, at = values == ABSENT, at + 6
        end = at + names + (0 if absent else values)
        if end > len(data):
            raise Bad("a field is cut")
        fields.append((data[at:at + names], None if absent else data[at + names:end]))
        at = end
    return fields, at


def checked_end(data):
    """Up to where the check covers it."""
    kind = data[4:5]
    if kind in (TOMBSTONE, MARKER) and len(data) == SHORT_BYTES or kind == FRAME and len(data) >= FIXED_BYTES:
        return len(data)
    if kind != INDEX or len(data) < LIST_BYTES:
        raise Bad("kind or length")
    names = struct.unpack_from("<H", data, SHORT_BYTES)[0]
    list_bytes = len(data) - LIST_BYTES - names
    if names > NAMES_BYTES or list_bytes % VARIANT_BYTES or not 0 <= list_bytes <= VARIANTS * VARIANT_BYTES:
        raise Bad("names or variants")
    return LIST_BYTES + names


def names_and_variants(data, end):
    names = data[LIST_BYTES:end]
    split = names.split(b",") if names else []
    if names != names.lower() or len(set(split)) != len(split) or not all(re.fullmatch(rb"[-!#$%&'*+.^_`|~0-9a-z]+", name) for name in split) or len(split) > 64:
        raise Bad("names")
    return {"names": names, "variants": [data[at:at + VARIANT_BYTES] for at in range(end, len(data), VARIANT_BYTES)]}


def parse(data):
    """The parts by name."""
    if len(data) < SHORT_BYTES or data[:4] != MAGIC or data[5:8] != bytes(3) or data[20:24] != bytes(4):
        raise Bad("foreign")
    kind, version, life_ms, check = data[4:5], data[8:16], *struct.unpack_from("<LxxxxQ", data, 16)
    end = checked_end(data)
    if check != xxh64(data[HEADER_BYTES:end], int.from_bytes(version, "little")):
        raise Bad("check")
    parts = {"kind": kind, "version": version, "life_ms": life_ms, "freshness_s": struct.unpack_from("<L", data, 36)[0]}
    if kind == INDEX:
        parts.update(names_and_variants(data, end))
    if kind == FRAME:
        parts.update(response(data))
    return parts


def response(data):
    (age_s, _, ban, status, count, selected, named, bits, reasons, urls, tags, bodies, revalidate_s, on_error_s, window_s,
     zero) = struct.unpack_from("<LLQHHHHHHLLLLLLL", data, HEADER_BYTES)
    if bits >> len(FLAGS) or zero or named > selected:
        raise Bad("flags or named")
    texts, at = [], FIXED_BYTES
    for size in (reasons, urls, tags):
        if at + size > len(data):
            raise Bad("a text is cut")
        texts.append(data[at:at + size])
        at += size
    fields, at = unpack(data, at, count)
    selection, at = unpack(data, at, selected)
    if at + bodies != len(data) or any(value is None for _, value in fields):
        raise Bad("length")
    if not re.fullmatch(rb"[a-z][-+.a-z0-9]*://[^/?#A-Z]*/[^#]*", texts[1]):
        raise Bad("URL")
    return {"age_s": age_s, "ban": ban, "status": status, "reason": texts[0], "url": texts[1], "tags": texts[2], "fields": fields, "selection": selection,
            "named": named, "body": data[at:], "flags": tuple(flag for bit, flag in enumerate(FLAGS) if bits >> bit & 1), "revalidate_s": revalidate_s,
            "on_error_s": on_error_s, "window_s": window_s, "generation": data[88:96]}
