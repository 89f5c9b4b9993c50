/* sim_memory_cache.c: what does a scan cost the readers of the memory cache?
 *
 *     sim_memory_cache [--seed N] [--requests N] [--quick]
 *
 * Shape    The gateway's own table, in one thread, and plain LRU of the same bytes beside it. Readers ask for pages by
 *          Zipf's law; a miss stores the page. In some scenarios other requests go through meanwhile.
 * Measure  Hits of the readers' requests, from the second quarter on: the first quarter warms both caches up, and the
 *          scan begins after it. A scan's own hits do not count.
 * Promise  A scan costs the readers no more of their hits than the scenario says, and less than under LRU. Without a
 *          scan the table is no worse than LRU.
 * Output   One row for each scenario; exit 1 if a promise is broken. The same seed gives the same row, because the
 *          table gets its seed, too. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/list.h"
#include "base/random.h"
#include "cache/memory_cache.h"

enum {
    PAGES = 40000,
    ROOM = 32 << 20, /* about a tenth of all pages */
    SCANNED = PAGES, /* only the scan asks for URLs from here on */
    MOST_SCANNED = 4 << 20,
};

static const double ZIPF = 0.9;

struct scenario {
    const char *name;
    enum {
        NOTHING,
        ONCE,
        TWICE,
        PAGES_ROUND
    } scan;           /* of URLs that only the scan asks for; or of the readers' own, in order */
    unsigned scanned; /* for each ten of the readers' requests */
    bool is_burst;    /* only in the second quarter */
    unsigned life_s;  /* of a page, at a thousand requests a second; 0: for good */
    double lost;      /* at most, of all the readers' requests */
};

static const struct scenario scenarios[] = {
    { "readers alone", NOTHING, 0, false, 0, 0 },
    { "a scan of what nobody asks for again", ONCE, 10, false, 0, 0.04 },
    { "a burst of it", ONCE, 40, true, 0, 0.04 },
    { "a scan that asks for everything twice", TWICE, 10, false, 0, 0.03 },
    { "a crawler of all the readers' pages", PAGES_ROUND, 10, false, 0, 0.03 },
    { "readers alone, pages expire", NOTHING, 0, false, 60, 0 },
    { "a scan, and pages expire", ONCE, 10, false, 60, 0.05 },
};

/* ---- plain LRU ---- */

struct lru_node {
    struct gw_list link;
    size_t bytes;
    uint64_t over_at_us;
};

struct lru {
    struct gw_list nodes; /* the most recently used first */
    size_t used_bytes;
    struct lru_node *of; /* by URL */
};

static bool lru_get(struct lru *lru, unsigned url, uint64_t now_us)
{
    struct lru_node *node = &lru->of[url];
    if (!node->bytes || now_us >= node->over_at_us)
        return false;
    gw_list_remove(&node->link);
    gw_list_push_front(&lru->nodes, &node->link);
    return true;
}

static void lru_remove(struct lru *lru, struct lru_node *node)
{
    gw_list_remove(&node->link);
    lru->used_bytes -= node->bytes;
    node->bytes = 0;
}

static void lru_put(struct lru *lru, unsigned url, size_t bytes, uint64_t over_at_us)
{
    struct lru_node *node = &lru->of[url];
    if (node->bytes)
        lru_remove(lru, node);
    while (lru->used_bytes + bytes > ROOM)
        lru_remove(lru, GW_CONTAINER(lru->nodes.previous, struct lru_node, link));
    node->bytes = bytes;
    node->over_at_us = over_at_us;
    gw_list_push_front(&lru->nodes, &node->link);
    lru->used_bytes += bytes;
}

/* ---- the gateway's ---- */

static uint64_t table_seed;

uint64_t __wrap_gw_random_seed(void);
uint64_t __wrap_gw_random_seed(void)
{
    return table_seed;
}

static struct gw_cache_key key_of(unsigned url)
{
    struct gw_cache_key key = { .name_space = { 1 } };
    memcpy(key.sha, &url, sizeof(url));
    return key;
}

static bool memory_cache_get(struct gw_memory_cache *memory_cache, unsigned url, uint64_t now_us)
{
    static const struct gw_cache_request request = { .is_candidate = true,
                                                     .may_look_up = true,
                                                     .default_ttl_applies = true,
                                                     .max_age = GW_DIRECTIVE_ABSENT,
                                                     .min_fresh = GW_DIRECTIVE_ABSENT,
                                                     .max_stale = GW_DIRECTIVE_ABSENT };
    struct gw_cache_key key = key_of(url);
    struct gw_memory_cache_answer answer;
    struct gw_head head;
    gw_head_init(&head);
    gw_memory_cache_get(memory_cache, &key, &request, &head, now_us, &answer);
    gw_entry_unref(answer.entry);
    return answer.reuse == GW_REUSE_FRESH;
}

/* Returns how many bytes the table counts for the page. */
static size_t memory_cache_put(struct gw_memory_cache *memory_cache, unsigned url, size_t body_bytes, int64_t life_s,
                               uint64_t now_us)
{
    struct gw_cache_life life = { .freshness_s = life_s };
    struct gw_cache_key key = key_of(url);
    struct gw_head request, response;
    struct gw_block *body = gw_block_create(body_bytes);
    gw_head_init(&request);
    gw_head_init(&response);
    response.status = 200;
    struct gw_entry_setup setup = { .key = &key,
                                    .scheme = GW_SLICE("http"),
                                    .host = GW_SLICE("a.example"),
                                    .request = &request,
                                    .response = &response,
                                    .body = body,
                                    .body_bytes = body_bytes,
                                    .life = &life,
                                    .now_us = now_us };
    struct gw_entry *entry = body ? gw_entry_create(&setup) : NULL;
    if (!entry || !gw_memory_cache_put(memory_cache, entry, gw_memory_cache_epoch(memory_cache, &key))) {
        fprintf(stderr, "sim_memory_cache: out of memory, or a page that is not taken\n");
        exit(2);
    }
    size_t bytes = entry->cost_bytes;
    gw_entry_unref(entry);
    gw_block_unref(body);
    return bytes;
}

/* ---- a run ---- */

struct run {
    const struct scenario *scenario;
    struct gw_random random;
    struct gw_memory_cache *memory_cache;
    struct lru lru;
    size_t node_bytes; /* of the table's own, for each entry */
    unsigned scanned;

    uint64_t memory_cache_hits, lru_hits, requests;
};

static double fraction(struct run *run)
{
    return (double)(gw_random_next(&run->random) >> 11) / (double)(UINT64_C(1) << 53);
}

/* 256 B to 32 KiB, as many of each magnitude; a page's size is always the same. */
static size_t body_bytes_of(unsigned url)
{
    uint64_t mixed = (url + 1) * UINT64_C(0x9e3779b97f4a7c15);
    unsigned magnitude = (unsigned)(mixed >> 60) % 7, more = (unsigned)(mixed >> 40) & 0xff;
    return ((size_t)(256 + more)) << magnitude;
}

/* Zipf's law by inversion of its integral: near enough, and no table. */
static unsigned page_of(double part)
{
    double last = pow(PAGES + 1, 1 - ZIPF), rank = pow(1 + part * (last - 1), 1 / (1 - ZIPF));
    unsigned page = (unsigned)rank - 1;
    return page < PAGES ? page : PAGES - 1;
}

static void ask(struct run *run, unsigned url, uint64_t now_us, bool is_counted)
{
    int64_t life_s = run->scenario->life_s ? run->scenario->life_s : 1 << 30;
    bool is_in_memory = memory_cache_get(run->memory_cache, url, now_us), is_lru = lru_get(&run->lru, url, now_us);
    size_t body_bytes = body_bytes_of(url), overhead = run->node_bytes;
    if (!is_in_memory)
        (void)memory_cache_put(run->memory_cache, url, body_bytes, life_s, now_us);
    if (!is_lru)
        lru_put(&run->lru, url, body_bytes + overhead, now_us + (uint64_t)life_s * 1000000);
    run->requests += is_counted;
    run->memory_cache_hits += is_counted && is_in_memory;
    run->lru_hits += is_counted && is_lru;
}

static unsigned scanned_at(const struct scenario *scenario, unsigned turn, unsigned turns)
{
    return turn < turns / 4 || (scenario->is_burst && turn >= turns / 2) ? 0 : scenario->scanned;
}

static void scan_one(struct run *run, uint64_t now_us)
{
    unsigned number = run->scanned++;
    if (run->scenario->scan == TWICE)
        number /= 2;
    ask(run, run->scenario->scan == PAGES_ROUND ? number % PAGES : SCANNED + number % MOST_SCANNED, now_us, false);
}

static void play(struct run *run, unsigned turns)
{
    for (unsigned turn = 0; turn < turns; turn++) {
        unsigned scanned = scanned_at(run->scenario, turn, turns);
        uint64_t now_us = (uint64_t)turn * 1000;
        ask(run, page_of(fraction(run)), now_us, turn >= turns / 4);
        for (unsigned i = turn % 10 * scanned / 10; i < (turn % 10 + 1) * scanned / 10; i++)
            scan_one(run, now_us);
    }
}

/* The cost of an entry beside its body: both caches must count alike. */
static size_t measure_node(struct gw_memory_cache *memory_cache)
{
    struct gw_memory_cache_counts counts;
    struct gw_cache_key key = key_of(0);
    (void)memory_cache_put(memory_cache, 0, 1000, 1, 0);
    gw_memory_cache_read_counts(memory_cache, &counts);
    gw_memory_cache_invalidate(memory_cache, &key);
    return counts.bytes - 1000;
}

static void simulate(struct run *run, uint64_t seed, unsigned turns)
{
    run->random = (struct gw_random) { .state = { seed, 1, 2, 3 } };
    for (int i = 0; i < 16; i++)
        table_seed = gw_random_next(&run->random);
    run->memory_cache = gw_memory_cache_create(ROOM, NULL);
    run->lru.of = calloc(SCANNED + MOST_SCANNED, sizeof(*run->lru.of));
    if (!run->memory_cache || !run->lru.of)
        exit(2);
    gw_list_init(&run->lru.nodes);
    run->node_bytes = measure_node(run->memory_cache);
    play(run, turns);
    gw_memory_cache_destroy(&run->memory_cache);
    free(run->lru.of);
}

/* ---- all of them ---- */

static bool keeps_promise(const struct scenario *scenario, double memory_cache, double lru, double memory_cache_alone,
                          double lru_alone)
{
    if (scenario->scan == NOTHING)
        return memory_cache >= lru;
    return memory_cache >= memory_cache_alone - scenario->lost && memory_cache > lru &&
           memory_cache_alone - memory_cache < lru_alone - lru;
}

int main(int count, char **words)
{
    uint64_t seed = 1;
    unsigned turns = 1000000;
    double memory_cache_alone = 0, lru_alone = 0;
    bool is_kept = true;
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "--quick") == 0)
            turns = 120000;
        else if (strcmp(words[i], "--seed") == 0 && i + 1 < count)
            seed = strtoull(words[++i], NULL, 10);
        else if (strcmp(words[i], "--requests") == 0 && i + 1 < count)
            turns = (unsigned)strtoul(words[++i], NULL, 10);
        else
            return fprintf(stderr, "usage: sim_memory_cache [--seed N] [--requests N] [--quick]\n"), 2;
    }
    printf("%-46s %8s %8s\n", "hits of the readers", "cache", "LRU");
    for (size_t i = 0; i < GW_COUNT(scenarios); i++) {
        struct run run = { .scenario = &scenarios[i] };
        simulate(&run, seed, turns);
        double memory_cache = (double)run.memory_cache_hits / (double)run.requests,
               lru = (double)run.lru_hits / (double)run.requests;
        if (scenarios[i].scan == NOTHING) {
            memory_cache_alone = memory_cache;
            lru_alone = lru;
        }
        bool is_good = keeps_promise(&scenarios[i], memory_cache, lru, memory_cache_alone, lru_alone);
        is_kept &= is_good;
        printf("%-46s %7.2f%% %7.2f%%%s\n", scenarios[i].name, memory_cache * 100, lru * 100,
               is_good ? "" : "  BROKEN");
    }
    if (!is_kept)
        printf("seed %" PRIu64 ", %u requests\n", seed, turns);
    return is_kept ? 0 : 1;
}
