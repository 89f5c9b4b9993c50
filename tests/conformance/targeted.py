"""RFC 9213: targeted cache control, where the configuration names the fields (Visara-Cache-Control, then CDN-Cache-Control)."""
from language import MAY, MUST, SAME, SHOULD, answer, cached, fetched, first, row, stale, validated

HOUR, NONE = "Cache-Control: max-age=3600", "Cache-Control: no-store"

for name, section, level, sentence, said, is_fresh in (
    ("longer", "§2.2", MUST, "max-age of the targeted field counts, not Cache-Control's: longer.",
     ("CDN-Cache-Control: max-age=3600", "Cache-Control: max-age=0"), True),
    ("shorter", "§2.2", MUST, "max-age of the targeted field counts, not Cache-Control's: shorter.",
     ("CDN-Cache-Control: max-age=0", HOUR), False),
    ("over-no-store", "§2.2", MUST, "Cache-Control: no-store is ignored beside it.", ("CDN-Cache-Control: max-age=3600", NONE), True),
    ("over-private", "§2.2", MUST, "Cache-Control: private is ignored beside it.",
     ("CDN-Cache-Control: max-age=3600", "Cache-Control: private"), True),
    ("over-s-maxage", "§2.2", MUST, "Cache-Control: s-maxage is ignored beside it.",
     ("CDN-Cache-Control: max-age=0", "Cache-Control: s-maxage=3600"), False),
    ("over-expires", "§2.2", MUST, "Expires is ignored beside it: past.", ("CDN-Cache-Control: max-age=3600", "Expires: {now-100}"), True),
    ("over-expires-future", "§2.2", MUST, "Expires is ignored beside it: future.", ("CDN-Cache-Control: max-age=0", "Expires: {now+3600}"), False),
    ("without-lifetime", "§2.2", MUST, "Where it states no lifetime, that of Cache-Control does not count.",
     ("CDN-Cache-Control: must-revalidate", HOUR), False),
    ("without-lifetime-expires", "§2.2", MUST, "Nor that of Expires.", ("CDN-Cache-Control: must-revalidate", "Expires: {now+3600}"), False),
    ("no-store", "§2.2", MUST, "no-store of the targeted field counts.", ("CDN-Cache-Control: no-store", HOUR), False),
    ("no-cache", "§2.2", MUST, "no-cache of the targeted field counts.", ("CDN-Cache-Control: no-cache, max-age=3600", HOUR), False),
    ("private", "§2.2", MUST, "private of the targeted field counts.", ("CDN-Cache-Control: private, max-age=3600", HOUR), False),
    ("before", "§2.2", MUST, "The order of fields does not matter.", ("Cache-Control: max-age=0", "CDN-Cache-Control: max-age=3600"), True),
    ("age", "§2.3", MUST, "Age counts as ever.", ("CDN-Cache-Control: max-age=3600", "Age: 7200", HOUR), False),
    ("empty", "§2.2", MUST, "An empty field is none.", ("CDN-Cache-Control:", HOUR), True),
    ("empty-no-store", "§2.2", MUST, "An empty field is none: Cache-Control's no-store counts.", ("CDN-Cache-Control:", NONE), False),
    ("alone", "§2.2", MUST, "Without Cache-Control it counts, too.", ("CDN-Cache-Control: max-age=0",), False),
    ("lines", "§2.1", MUST, "Lines of it are one dictionary.", ("CDN-Cache-Control: max-age=3600", "CDN-Cache-Control: no-store", HOUR), False),
    ("last-wins", "RFC 8941 §4.2.2", MUST, "Of a key twice, the last counts: fresh.", ("CDN-Cache-Control: max-age=0, max-age=3600", NONE), True),
    ("last-wins-zero", "RFC 8941 §4.2.2", MUST, "Of a key twice, the last counts: stale.", ("CDN-Cache-Control: max-age=3600, max-age=0", HOUR), False),
    ("parameters", "§2.1", MUST, "Parameters are ignored.", ("CDN-Cache-Control: max-age=3600;foo=bar, public;x", NONE), True),
    ("unknown", "§2.1", MUST, "Unknown directives are ignored.", ("CDN-Cache-Control: foo, max-age=3600, bar=(1 2), baz=:YQ==:", NONE), True),
    ("false-no-store", "RFC 8941 §3.2", MAY, "no-store=?0 is no no-store.", ("CDN-Cache-Control: max-age=3600, no-store=?0", HOUR), True),
    ("invalid-quote", "§2.1", MUST, "A field that cannot be parsed is ignored: an open quote.", ('CDN-Cache-Control: max-age=3600, foo="bar', NONE), False),
    ("invalid-quote-fresh", "§2.1", MUST, "A field that cannot be parsed is ignored: Cache-Control's max-age counts.",
     ('CDN-Cache-Control: max-age=0, foo="bar', HOUR), True),
    ("invalid-key", "§2.1", MUST, "A field that cannot be parsed is ignored: a key in upper case.", ("CDN-Cache-Control: Max-Age=3600", NONE), False),
    ("invalid-comma", "§2.1", MUST, "A field that cannot be parsed is ignored: a comma at the end.", ("CDN-Cache-Control: max-age=3600,", NONE), False),
    ("invalid-space", "§2.1", MUST, "A field that cannot be parsed is ignored: white space around =.", ("CDN-Cache-Control: max-age = 3600", NONE), False),
    ("invalid-character", "§2.1", MUST, "A field that cannot be parsed is ignored: &.", ("CDN-Cache-Control: max-age=3600, &&&&&", NONE), False),
    ("string", "§2.1", SHOULD, "max-age that is a string states nothing.", ('CDN-Cache-Control: max-age="3600"', NONE), False),
    ("decimal", "§2.1", SHOULD, "max-age that is a decimal states nothing.", ("CDN-Cache-Control: max-age=3600.0", NONE), False),
    ("negative", "§2.1", SHOULD, "max-age that is negative states nothing fresh.", ("CDN-Cache-Control: max-age=-3600", NONE), False),
    ("first-of-list", "§2.2", MUST, "The first field of the configured list counts.",
     ("Visara-Cache-Control: max-age=3600", "CDN-Cache-Control: no-store", NONE), True),
    ("first-of-list-forbids", "§2.2", MUST, "The first field of the configured list counts, also where it forbids.",
     ("CDN-Cache-Control: max-age=3600", "Visara-Cache-Control: no-store", HOUR), False),
    ("second-of-list", "§2.2", MUST, "Where the first is empty, the second counts.",
     ("Visara-Cache-Control:", "CDN-Cache-Control: max-age=3600", NONE), True),
    ("other", "§2.2", MUST, "A targeted field that is not configured is ignored.", ("Other-CDN-Cache-Control: max-age=3600", NONE), False),
    ("name-case", "RFC 9110 §5.1", MUST, "The field's name is case-insensitive.", ("cdn-cache-control: max-age=3600", NONE), True),
):
    row("targeted-%s" % name, section if section.startswith("RFC") else "RFC 9213 " + section, level, sentence,
        first(*said), cached() if is_fresh else fetched(), config="targeted")
row("targeted-invalid-forbids", "RFC 9213 §2.1", MAY, "A word that forbids counts also in a field that cannot be parsed.",
    first("CDN-Cache-Control: no-store; max-age=3600", HOUR), fetched(), config="targeted")
row("targeted-invalid-default", "RFC 9213 §2.1", MAY, "What cannot be parsed has no lifetime by default.",
    first("CDN-Cache-Control: max-age=0;", origin_status=200), fetched(), config="targeted_default")
row("targeted-not-configured", "RFC 9213 §2.2", MUST, "Where no field is configured, Cache-Control counts.",
    first("CDN-Cache-Control: max-age=3600", NONE), fetched())
row("targeted-not-configured-fresh", "RFC 9213 §2.2", MUST, "The other way round, too.",
    first("CDN-Cache-Control: no-store", HOUR), cached(has={"CDN-Cache-Control": SAME}))
row("targeted-must-revalidate", "RFC 9213 §2.2", MUST, "must-revalidate of the targeted field counts.",
    first("CDN-Cache-Control: max-age=3600, must-revalidate", "Age: 4000", 'ETag: "a"', HOUR), fetched("Cache-Control: max-stale"), config="targeted")
row("targeted-over-must-revalidate", "RFC 9213 §2.2", MAY, "Cache-Control's must-revalidate is ignored beside it.",
    first("CDN-Cache-Control: max-age=3600", "Age: 4000", 'ETag: "a"', "Cache-Control: max-age=3600, must-revalidate"),
    stale("Cache-Control: max-stale", asked=0), config="targeted")
row("targeted-no-cache-validated", "RFC 9213 §2.2", MUST, "no-cache of the targeted field is validated.",
    first("CDN-Cache-Control: no-cache", 'ETag: "a"', HOUR), validated(), config="targeted")
row("targeted-authorization", "RFC 9111 §3.5", MUST, "A targeted max-age alone allows nothing to a request with Authorization.",
    first("CDN-Cache-Control: max-age=3600", "Cache-Control: public", asks=("Authorization: Basic eDp5",)), fetched(), config="targeted")
row("targeted-authorization-public", "RFC 9111 §3.5", MAY, "A targeted public does.",
    first("CDN-Cache-Control: max-age=3600, public", asks=("Authorization: Basic eDp5",)), cached(), config="targeted")
row("targeted-updated", "RFC 9111 §4.3.4", MUST, "A 304's targeted field counts.",
    first("CDN-Cache-Control: max-age=0", 'ETag: "a"'), validated(says="CDN-Cache-Control: max-age=3600"), cached(), config="targeted")
row("targeted-vary", "RFC 9111 §4.1", MUST, "Vary counts as ever.",
    first("CDN-Cache-Control: max-age=3600", "Vary: *"), fetched(says=answer(HOUR)), config="targeted")
