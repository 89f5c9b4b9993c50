/* Variants below a URL in the store, which is played here: how they are found, and what ends them. */
#include "unit/cache/redis_cache_scene.h"

static const struct response german = { .asked = "Accept-Language: de", .answered = "ETag: de\nVary: Accept-Language" };
static const struct response french = { .asked = "Accept-Language: fr", .answered = "ETag: fr\nVary: Accept-Language" };

static unsigned asked_at_once(struct stage *stage, unsigned view, unsigned number, const char *fields)
{
    struct asked asked;
    unsigned made = stage->store.made;
    view_asks(stage, view, &asked, number, fields);
    assert_non_null(asked.question);
    unsigned at_once = stage->store.made - made;
    gw_redis_cache_cancel(&asked.question);
    end_asked(&asked);
    played_answer_all(&stage->store);
    return at_once;
}

static unsigned made_by_look_up(struct stage *stage, unsigned view, unsigned number, const char *fields,
                                const char *expected)
{
    unsigned made = stage->store.made;
    (void)view_looks_up(stage, view, number, fields, expected);
    return stage->store.made - made;
}

static void a_selected_response_lies_beside_others_of_its_url(void **state)
{
    struct stage *stage = *state;
    store_response(stage, 1, &german);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_INDEX);
    assert_int_equal(strlen(stored_variant(stage, 1, 0)->key), PLAYED_BASE_BYTES + 1 + 32);
    assert_int_equal(stored(stage, 1)->left_ms, stored_variant(stage, 1, 0)->left_ms);
    struct gw_redis_cache_answer answer = view_looks_up(stage, 0, 1, french.asked, "none");
    assert_true(answer.was_there);
    assert_int_equal(answer.base_version.kind, GW_BASE_INDEX);
    store_response(stage, 1, &french);
    for (unsigned view = 0; view < VIEWS; view++) {
        (void)view_looks_up(stage, view, 1, german.asked, "de");
        (void)view_looks_up(stage, view, 1, french.asked, "fr");
        (void)view_looks_up(stage, view, 1, "Accept-Language: it", "none");
        (void)view_looks_up(stage, view, 1, "", "none");
    }
    assert_true(is_in_memory(stage, 1, german.asked));
    assert_true(is_in_memory(stage, 1, french.asked));
}

static void a_worker_that_remembers_the_names_asks_for_both_at_once(void **state)
{
    struct stage *stage = *state;
    store_response(stage, 1, &german);
    assert_int_equal(asked_at_once(stage, 0, 1, german.asked), 2); /* it has stored the variant */
    assert_int_equal(asked_at_once(stage, 1, 1, german.asked), 1);
    assert_int_equal(made_by_look_up(stage, 1, 1, german.asked, "de"), 2);
    assert_int_equal(asked_at_once(stage, 1, 1, german.asked), 2);
    assert_int_equal(made_by_look_up(stage, 1, 1, german.asked, "de"), 2);
    assert_int_equal(asked_at_once(stage, 1, 1, "Cache-Control: no-store"), 1); /* asks only which version lies there */
    assert_int_equal(made_by_look_up(stage, 1, 1, "Accept-Language: it", "none"), 2);
    assert_int_equal(asked_at_once(stage, 1, 2, german.asked), 1); /* another URL */
}

/* A variant that the index does not list is not asked for. */
static void a_look_up_that_sees_the_index_knows_what_is_not_there(void **state)
{
    struct stage *stage = *state;
    store_response(stage, 1, &german);
    assert_int_equal(made_by_look_up(stage, 1, 1, french.asked, "none"), 1);
}

static void a_wrong_memory_is_put_right_by_the_base(void **state)
{
    static const struct response other = { .asked = "Accept-Language: de",
                                           .answered = "ETag: other\nVary: Accept-Language, Accept" };
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    store_response(stage, 1, &german);
    (void)view_looks_up(stage, 1, 1, german.asked, "de");
    store_response(stage, 1, &other); /* view 1 does not know */
    assert_int_equal(made_by_look_up(stage, 1, 1, german.asked, "other"), 3);
    assert_int_equal(made_by_look_up(stage, 1, 1, german.asked, "other"), 2);
    store_response(stage, 1, &(struct response) { .asked = german.asked, .answered = "ETag: plain" });
    assert_int_equal(kind_of(stage, 1), GW_FRAME_RESPONSE);
    assert_null(stored_variant(stage, 1, 0));
    assert_int_equal(made_by_look_up(stage, 1, 1, german.asked, "plain"), 2);
    assert_int_equal(made_by_look_up(stage, 1, 1, german.asked, "plain"), 1);
    store_response(stage, 1, &german);
    assert_non_null(gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, NULL, NULL));
    played_answer_all(&stage->store);
    assert_int_equal(made_by_look_up(stage, 0, 1, german.asked, "none"), 2); /* the variant still lies there */
    assert_int_equal(made_by_look_up(stage, 0, 1, german.asked, "none"), 1);
}

/* However often and by whichever worker it is asked for: the value from before the purge does not come back. */
static void a_tombstone_ends_all_variants_also_under_an_index_made_again(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    store_response(stage, 1, &german);
    store_response(stage, 1, &french);
    struct gw_base_version before = look_up(stage, 1, german.asked, "de");
    assert_non_null(gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, NULL, NULL));
    played_answer_all(&stage->store);
    assert_true(put_response(stage, 1, &german, &before, NULL)); /* refused */
    played_answer_all(&stage->store);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_TOMBSTONE);
    assert_int_equal(gw_counter_read(&stage->shard.cache_stores_raced), 1);
    store_response(stage, 1, &german);
    assert_in_range(stored(stage, 1)->left_ms, 299000, 300000);
    for (unsigned view = 0; view < VIEWS; view++) {
        (void)view_looks_up(stage, view, 1, german.asked, "de");
        (void)view_looks_up(stage, view, 1, french.asked, "none");
    }
    /* The tombstone is lost (evicted), and a fetch that began before it makes the old index again. */
    stored(stage, 1)->bytes.length = 0;
    assert_true(put_response(stage, 1, &german, &before, NULL));
    played_answer_all(&stage->store);
    (void)view_looks_up(stage, 1, 1, french.asked, "none");
    (void)view_looks_up(stage, 1, 1, german.asked, "de");
}

static void a_variant_of_another_generation_does_not_count(void **state)
{
    struct stage *stage = *state;
    store_response(stage, 1, &german);
    struct played_value old = *stored_variant(stage, 1, 0);
    stored(stage, 1)->bytes.length = 0;
    store_response(stage, 1, &german); /* a new generation, the same key */
    assert_string_equal(stored_variant(stage, 1, 0)->key, old.key);
    *stored_variant(stage, 1, 0) = old;
    (void)view_looks_up(stage, 0, 1, german.asked, "none");
    (void)view_looks_up(stage, 1, 1, german.asked, "none");
    assert_int_equal(gw_counter_read(&stage->shard.cache_corrupt), 0);
}

static void of_seventeen_the_one_stored_longest_ago_leaves(void **state)
{
    struct stage *stage = *state;
    char asked[32], answered[64], etag[16];
    for (unsigned i = 0; i < 2 * (GW_FRAME_VARIANTS + 1); i++) {
        unsigned n = i % (GW_FRAME_VARIANTS + 1);
        snprintf(asked, sizeof asked, "Accept-Language: l%u", n);
        snprintf(etag, sizeof etag, "v%u", n);
        snprintf(answered, sizeof answered, "ETag: %s\nVary: Accept-Language", etag);
        stage->store.made = stage->store.answered = 0;
        if (i <= GW_FRAME_VARIANTS)
            store_response(stage, 1, &(struct response) { .asked = asked, .answered = answered });
        else
            (void)look_up(stage, 1, asked, n ? etag : "none");
    }
    assert_non_null(stored_variant(stage, 1, GW_FRAME_VARIANTS - 1));
    assert_null(stored_variant(stage, 1, GW_FRAME_VARIANTS));
}

/* An index without names: a response that nothing selects is a variant there, and neither variant removes the other. */
static void side_fields_alone_make_variants_too(void **state)
{
    static const struct response plain = { .answered = "ETag: plain" },
                                 side = { .asked = "X-Forwarded-Host: other", .answered = "ETag: side" };
    struct stage *stage = *state;
    store_response(stage, 1, &plain);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_RESPONSE);
    store_response(stage, 1, &side);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_INDEX);
    for (unsigned i = 0; i < 2; i++) {
        store_response(stage, 1, &plain);
        assert_int_equal(kind_of(stage, 1), GW_FRAME_INDEX);
        for (unsigned view = 0; view < VIEWS; view++) {
            (void)view_looks_up(stage, view, 1, "", "plain");
            (void)view_looks_up(stage, view, 1, side.asked, "side");
            (void)view_looks_up(stage, view, 1, "X-Forwarded-Host: third", "none");
        }
    }
}

static void names_are_the_same_in_any_case(void **state)
{
    static const struct response shouting = { .asked = "accept-language: fr",
                                              .answered = "ETag: fr\nVary: ACCEPT-LANGUAGE" };
    struct stage *stage = *state;
    store_response(stage, 1, &german);
    store_response(stage, 1, &shouting);
    (void)look_up(stage, 1, german.asked, "de");
    (void)look_up(stage, 1, french.asked, "fr");
}

static void a_variant_that_does_not_parse_leaves_alone(void **state)
{
    struct stage *stage = *state;
    for (unsigned i = 0; i < 3; i++) {
        store_response(stage, i, &german);
        store_response(stage, i, &french);
        struct played_value *value = stored_variant(stage, i, 0);
        if (i == 0)
            value->bytes.at[value->bytes.length - 1] ^= 1;
        else if (i == 1)
            value->bytes.at[0] = 'X';
        else
            value->bytes.length -= 1;
        struct gw_redis_cache_answer answer = view_looks_up(stage, 0, i, german.asked, "none");
        assert_int_equal(answer.base_version.kind, GW_BASE_INDEX);
        assert_int_equal(gw_counter_read(&stage->shard.cache_corrupt), i + 1);
        assert_int_equal(value->bytes.length, 0);
        (void)look_up(stage, i, french.asked, "fr");
        assert_true(put_response(stage, i, &german, &answer.base_version, NULL));
        played_answer_all(&stage->store);
        (void)look_up(stage, i, german.asked, "de");
    }
}

static void no_mark_drives_out_variants(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    store_response(stage, 1, &german);
    struct gw_base_version base_version = look_up(stage, 1, "", "none");
    gw_redis_cache_mark_hit_for_miss(stage->views[0].redis_cache, &key, &base_version, 10000);
    played_answer_all(&stage->store);
    (void)look_up(stage, 1, german.asked, "de");
}

static void a_request_that_may_not_look_up_sees_the_index(void **state)
{
    struct stage *stage = *state;
    store_response(stage, 1, &german);
    struct gw_base_version base_version = look_up(stage, 1, "Accept-Language: fr\nCache-Control: no-store", "none");
    assert_int_equal(base_version.kind, GW_BASE_INDEX);
    assert_true(put_response(stage, 1, &french, &base_version, NULL));
    played_answer_all(&stage->store);
    (void)look_up(stage, 1, german.asked, "de");
    (void)look_up(stage, 1, french.asked, "fr");
}

static void a_question_with_two_calls_is_cancelled_or_lost_as_one(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    store_response(stage, 1, &german);
    for (unsigned answered = 0; answered < 2; answered++) { /* so many of the two when it is forgotten */
        unsigned base = stage->store.made;
        ask(stage, &asked, 1, german.asked);
        assert_int_equal(played_due(&stage->store), 2);
        if (answered)
            played_answer(&stage->store, &stage->store.calls[base]);
        gw_redis_cache_cancel(&asked.question);
        played_answer_all(&stage->store);
        assert_int_equal(asked.answers, 0);
        end_asked(&asked);
    }
    unsigned base = stage->store.made;
    ask(stage, &asked, 1, german.asked);
    played_answer(&stage->store, &stage->store.calls[base]);
    assert_int_equal(asked.answers, 0);
    played_lose_all(&stage->store);
    assert_int_equal(asked.answers, 1);
    assert_null(asked.answer.entry);
    assert_int_equal(asked.answer.base_version.kind, GW_BASE_INDEX);
    end_asked(&asked);
    stage->store.is_up = true;
    ask(stage, &asked, 1, german.asked);
    played_lose_all(&stage->store);
    assert_int_equal(asked.answers, 1);
    assert_int_equal(asked.answer.base_version.kind, GW_BASE_UNKNOWN);
    end_asked(&asked);
}

/* If the second answer is lost before the first has come, the question is asked again. */
static void a_variant_s_answer_before_the_base_s_counts_for_nothing(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    store_response(stage, 1, &german);
    unsigned base = stage->store.made;
    ask(stage, &asked, 1, german.asked);
    stage->store.fails_with = GW_STORE_LOST;
    played_answer(&stage->store, &stage->store.calls[base + 1]);
    stage->store.fails_with = GW_STORE_INTEGERS;
    assert_int_equal(asked.answers, 0);
    played_answer_all(&stage->store);
    assert_int_equal(asked.answers, 1);
    assert_string_equal(etag_of(asked.answer.entry), "de");
    end_asked(&asked);
}

static void a_read_of_a_variant_sent_before_an_invalidation_does_not_fill(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked asked;
    store_response(stage, 1, &german);
    unsigned base = stage->store.made;
    view_asks(stage, 0, &asked, 1, german.asked);
    played_answer(&stage->store, &stage->store.calls[base]);
    gw_memory_cache_invalidate(stage->views[0].memory_cache, &key);
    played_answer_all(&stage->store);
    assert_string_equal(etag_of(asked.answer.entry), "de");
    assert_false(is_in_memory(stage, 1, german.asked));
    end_asked(&asked);
}

/* ---- inspection ---- */

struct sighted {
    unsigned answers;
    struct gw_redis_cache_inspection inspection;
    char names[64], etag[16];
};

static void on_inspected(void *owner, const struct gw_redis_cache_inspection *inspection)
{
    struct sighted *sighted = owner;
    sighted->answers++;
    sighted->inspection = *inspection;
    assert_true(inspection->names.length < sizeof sighted->names);
    snprintf(sighted->names, sizeof sighted->names, "%.*s", GW_SLICE_ARGS(inspection->names));
    snprintf(sighted->etag, sizeof sighted->etag, "%s", etag_of(inspection->entry));
}

static struct sighted inspect(struct stage *stage, unsigned number, const char *fields)
{
    struct gw_cache_key key = key_of(number);
    struct asked asked;
    struct sighted sighted = { .answers = 0 };
    unsigned filled = is_in_memory(stage, number, fields);
    uint64_t corrupt = gw_counter_read(&stage->shard.cache_corrupt);
    open_asked(&asked, fields);
    struct gw_redis_cache_question *question = gw_redis_cache_inspect(stage->views[0].redis_cache, &key, &asked.request,
                                                                      &asked.head, on_inspected, &sighted);
    assert_non_null(question);
    played_answer_all(&stage->store);
    assert_int_equal(sighted.answers, 1);
    assert_int_equal(is_in_memory(stage, number, fields), filled);
    assert_int_equal(gw_counter_read(&stage->shard.cache_corrupt), corrupt);
    end_asked(&asked);
    return sighted;
}

static void inspection_says_what_lies_there_and_touches_nothing(void **state)
{
    enum { ABSENT, PLAIN, OVER, VARIANT, OTHER_VARIANT, BROKEN, BROKEN_VARIANT, TOMBSTONE, MARK, CASES };
    static const struct {
        enum gw_frame_kind base;
        const char *etag, *names;
        unsigned variants;
    } rows[CASES] = {
        [ABSENT] = { GW_FRAME_FOREIGN, "none", "", 0 },
        [PLAIN] = { GW_FRAME_RESPONSE, "a", "", 0 },
        [OVER] = { GW_FRAME_RESPONSE, "a", "", 0 },
        [VARIANT] = { GW_FRAME_INDEX, "de", "accept-language", 1 },
        [OTHER_VARIANT] = { GW_FRAME_INDEX, "none", "accept-language", 1 },
        [BROKEN] = { GW_FRAME_CORRUPT, "none", "", 0 },
        [BROKEN_VARIANT] = { GW_FRAME_INDEX, "none", "accept-language", 1 },
        [TOMBSTONE] = { GW_FRAME_TOMBSTONE, "none", "", 0 },
        [MARK] = { GW_FRAME_MARK, "none", "", 0 },
    };
    struct stage *stage = *state;
    for (unsigned i = 0; i < CASES; i++) {
        struct gw_cache_key key = key_of(i);
        struct gw_base_version base_version = { .kind = GW_BASE_ABSENT, .at_us = gw_clock_monotonic_us() };
        if (rows[i].base == GW_FRAME_INDEX)
            store_response(stage, i, &german);
        else if (i == TOMBSTONE)
            assert_non_null(gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, NULL, NULL));
        else if (i == MARK)
            gw_redis_cache_mark_hit_for_miss(stage->views[0].redis_cache, &key, &base_version, 10000);
        else if (i != ABSENT)
            store(stage, i, "ETag: a");
        played_answer_all(&stage->store);
        if (i == OVER)
            stored(stage, i)->left_ms = 0;
        if (i == BROKEN)
            stored(stage, i)->bytes.at[40] ^= 1;
        if (i == BROKEN_VARIANT)
            stored_variant(stage, i, 0)->bytes.at[40] ^= 1;
        struct sighted sighted = inspect(stage, i, i == OTHER_VARIANT ? french.asked : german.asked);
        assert_true(sighted.inspection.is_known);
        assert_int_equal(sighted.inspection.is_there, i != ABSENT);
        assert_int_equal(sighted.inspection.base, rows[i].base);
        assert_string_equal(sighted.etag, rows[i].etag);
        assert_string_equal(sighted.names, rows[i].names);
        assert_int_equal(sighted.inspection.variants, rows[i].variants);
        if (i != ABSENT)
            assert_int_equal(sighted.inspection.left_ms, stored(stage, i)->left_ms);
        if (i == VARIANT)
            assert_int_equal(sighted.inspection.entry_left_ms, stored_variant(stage, i, 0)->left_ms);
    }
}

static void inspection_tells_of_bans_and_of_a_store_that_does_not_answer(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked asked;
    struct sighted sighted = { .answers = 0 };
    store(stage, 1, "ETag: a");
    assert_int_equal(inspect(stage, 1, "").inspection.ban, GW_BAN_NONE);
    assert_true(gw_bans_add(stage->bans, &(struct gw_ban) { .kind = GW_BAN_ALL }, 1000000));
    sighted = inspect(stage, 1, "");
    assert_int_equal(sighted.inspection.ban, GW_BAN_HARD);
    assert_string_equal(sighted.etag, "a");
    for (unsigned lost = 0; lost < 2; lost++) { /* else forgotten */
        sighted = (struct sighted) { .answers = 0 };
        open_asked(&asked, "");
        struct gw_redis_cache_question *question = gw_redis_cache_inspect(
            stage->views[0].redis_cache, &key, &asked.request, &asked.head, on_inspected, &sighted);
        if (!lost)
            gw_redis_cache_cancel(&question);
        played_lose_all(&stage->store);
        assert_int_equal(sighted.answers, lost);
        assert_false(sighted.inspection.is_known);
        stage->store.is_up = true;
        end_asked(&asked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_selected_response_lies_beside_others_of_its_url, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_worker_that_remembers_the_names_asks_for_both_at_once, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(a_look_up_that_sees_the_index_knows_what_is_not_there, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_wrong_memory_is_put_right_by_the_base, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_tombstone_ends_all_variants_also_under_an_index_made_again, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(a_variant_of_another_generation_does_not_count, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(of_seventeen_the_one_stored_longest_ago_leaves, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(side_fields_alone_make_variants_too, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(names_are_the_same_in_any_case, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_variant_that_does_not_parse_leaves_alone, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(no_mark_drives_out_variants, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_request_that_may_not_look_up_sees_the_index, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_question_with_two_calls_is_cancelled_or_lost_as_one, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_variant_s_answer_before_the_base_s_counts_for_nothing, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(a_read_of_a_variant_sent_before_an_invalidation_does_not_fill, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(inspection_says_what_lies_there_and_touches_nothing, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(inspection_tells_of_bans_and_of_a_store_that_does_not_answer, make_stage,
                                        free_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
