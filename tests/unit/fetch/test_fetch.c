#include "unit/fetch/stage.h"
#include "fetch/state.h"

/* ---- passing ---- */

static void a_passed_answer_arrives_in_order_and_by_reference(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    begin(stage, &one);
    says_interim(stage, 103);
    assert_heard(&one, "103", 0);
    says_head(stage, 200, "Content-Type: text/plain\n", 5000);
    assert_false(gw_fetch_is_collecting(one.reader.fetch));
    assert_true(says_body(stage, 3000));
    assert_non_null(one.last_block);
    assert_heard(&one, "103 200", 3000); /* at once, nothing is gathered here */
    assert_int_equal(one.flushes, 0);
    end_of_read(stage);
    assert_int_equal(one.flushes, 1);
    assert_true(says_body(stage, 2000));
    ends(stage);
    assert_heard(&one, "103 200 end", 5000);
    assert_ptr_equal(one.reader.backend, &stage->backends[0]);
    assert_true(one.reader.upstream_us > 0);
    tear_down(stage);
}

static void a_slow_reader_pauses_the_upstream_and_a_quick_one_lets_it_go_on(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    begin(stage, &one);
    says_head(stage, 200, "", CHUNKED);
    assert_true(says_body(stage, 100));
    gw_fetch_pause(&one.reader);
    assert_true(last_attempt(stage)->paused);
    assert_false(says_body(stage, 100));
    gw_fetch_resume(&one.reader);
    assert_false(last_attempt(stage)->paused);
    one.pauses_at = "body"; /* and from within an event */
    assert_true(says_body(stage, 100));
    assert_true(last_attempt(stage)->paused);
    one.pauses_at = NULL;
    gw_fetch_resume(&one.reader);
    assert_true(says_body(stage, 1));
    ends(stage);
    assert_heard(&one, "200 end", 201);
    tear_down(stage);
}

static void a_reader_that_pauses_before_or_with_the_head_gets_no_body_until_it_resumes(void **state)
{
    static const char *const when[] = { "interim", "head" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(when); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        one.pauses_at = when[i];
        begin(stage, &one);
        says_interim(stage, 100);
        says_head(stage, 200, "", 10);
        assert_true(last_attempt(stage)->paused);
        assert_false(says_body(stage, 10));
        gw_fetch_resume(&one.reader);
        assert_true(says_body(stage, 10));
        ends(stage);
        assert_heard(&one, "100 200 end", 10);
        tear_down(stage);
    }
}

static void the_end_waits_for_a_paused_reader_and_its_head_stays(void **state)
{
    static const char *const when[] = { "interim", "head" };
    (void)state;
    for (size_t i = 0; i < 2 * GW_COUNT(when); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        one.pauses_at = when[i % GW_COUNT(when)];
        begin(stage, &one);
        says_interim(stage, 100);
        says_head(stage, 204, "X-Mark: kept\n", 0);
        ends(stage);
        assert_heard(&one, "100 204", 0);
        assert_non_null(one.reader.fetch);
        assert_false(gw_fetch_is_collecting(one.reader.fetch));
        assert_true(gw_slice_equal(one.head->fields[0].value, GW_SLICE("kept")));
        if (i < GW_COUNT(when))
            gw_fetch_resume(&one.reader);
        else
            gw_fetch_leave(&one.reader);
        assert_heard(&one, i < GW_COUNT(when) ? "100 204 end" : "100 204", 0);
        tear_down(stage);
    }
}

static void pause_and_resume_before_the_head_leave_no_trace(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    begin(stage, &one);
    gw_fetch_pause(&one.reader);
    gw_fetch_resume(&one.reader);
    says_head(stage, 200, "", 10);
    assert_true(says_body(stage, 10));
    ends(stage);
    assert_heard(&one, "200 end", 10);
    tear_down(stage);
}

static void a_reader_that_leaves_takes_its_passing_fetch_with_it(void **state)
{
    (void)state;
    for (int stop = 0; stop < 4; stop++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        begin(stage, &one);
        if (stop >= 1)
            says_interim(stage, 100);
        if (stop >= 2)
            says_head(stage, 200, "", 100);
        if (stop >= 3)
            says_body(stage, 50);
        unsigned events = one.events;
        gw_fetch_leave(&one.reader);
        gw_fetch_leave(&one.reader); /* the reader reads no more */
        gw_fetch_pause(&one.reader);
        gw_fetch_resume(&one.reader);
        assert_true(last_attempt(stage)->cancelled);
        assert_int_equal(one.events, events);
        tear_down(stage);
    }
}

static void the_requests_body_goes_to_the_backend(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    stage->request.method = GW_METHOD_POST;
    stage->request.method_text = GW_SLICE("POST");
    stage->request.has_body = true;
    stage->request.content_length = 6;
    begin(stage, &one);
    assert_true(last_attempt(stage)->call->has_body);
    assert_int_equal(last_attempt(stage)->call->content_length, 6);
    wants_body(stage);
    assert_heard(&one, "want", 0);
    assert_true(gw_fetch_send_body(&one.reader, GW_SLICE("abc"), NULL));
    assert_true(gw_fetch_send_body(&one.reader, GW_SLICE("def"), NULL));
    gw_fetch_end_body(&one.reader);
    assert_string_equal(last_attempt(stage)->sent, "abcdef");
    assert_true(last_attempt(stage)->body_ended);
    says_head(stage, 201, "", 0);
    ends(stage);
    assert_heard(&one, "want 201 end", 0);
    assert_false(gw_fetch_send_body(&one.reader, GW_SLICE("x"), NULL)); /* no transport wants it now */
    gw_fetch_end_body(&one.reader);
    tear_down(stage);
}

/* ---- what the backend is asked ---- */

static void the_backend_is_asked_with_its_host_and_base_path(void **state)
{
    static const struct {
        const char *path, *query, *base_path, *target, *fields;
        enum gw_preserve_host preserve_host;
        bool is_tls;
    } rows[] = {
        { "/x", NULL, "", "/x", "Host: one:8000\r\nAccept: a\r\n", GW_PRESERVE_HOST_NO, false },
        { "/x", "a=1", "", "/x?a=1", "Host: example.org\r\nAccept: a\r\n", GW_PRESERVE_HOST_YES, false },
        { "/x", "a=1", "", "/x?a=1", "Host: example.org\r\nAccept: a\r\n", GW_PRESERVE_HOST_YES, true },
        { "/x", NULL, "", "/x", "Host: example.org\r\nAccept: a\r\n", GW_PRESERVE_HOST_AUTO, false },
        { "/x", NULL, "", "/x", "Host: one:8000\r\nAccept: a\r\n", GW_PRESERVE_HOST_AUTO, true },
        { "/x", "", "", "/x?", "Host: one:8000\r\nAccept: a\r\n", GW_PRESERVE_HOST_NO, false },
        { "/x", "q", "/base", "/base/x?q", "Host: one:8000\r\nAccept: a\r\n", GW_PRESERVE_HOST_NO, false },
        { "/", NULL, "/base", "/base/", "Host: one:8000\r\nAccept: a\r\n", GW_PRESERVE_HOST_NO, false },
        { "*", NULL, "/base", "*", "Host: one:8000\r\nAccept: a\r\n", GW_PRESERVE_HOST_NO, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        stage->config.preserve_host = rows[i].preserve_host;
        stage->backends[0].is_tls = rows[i].is_tls;
        stage->backends[0].base_path = gw_slice_of_string(rows[i].base_path);
        stage->request.path = gw_slice_of_string(rows[i].path);
        stage->request.query = gw_slice_of_string(rows[i].query);
        stage->request.fields = GW_SLICE("Accept: a\r\n");
        begin(stage, &one);
        assert_string_equal(last_attempt(stage)->target, rows[i].target);
        assert_string_equal(last_attempt(stage)->fields, rows[i].fields);
        assert_string_equal(last_attempt(stage)->method, "GET");
        gw_fetch_leave(&one.reader);
        tear_down(stage);
    }
}

static void without_a_host_of_its_own_the_request_gets_the_backends(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    stage->config.preserve_host = GW_PRESERVE_HOST_YES;
    stage->request.host = GW_NO_SLICE; /* HTTP/1.0 */
    begin(stage, &one);
    assert_string_equal(last_attempt(stage)->fields, "Host: one:8000\r\nAccept: text/plain\r\n");
    gw_fetch_leave(&one.reader);
    tear_down(stage);
}

static void backends_are_asked_in_turn(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    for (unsigned i = 0; i < 2 * BACKENDS; i++) {
        struct listener one = new_listener();
        begin(stage, &one);
        assert_ptr_equal(last_attempt(stage)->backend, &stage->backends[i % BACKENDS]);
        gw_fetch_leave(&one.reader);
    }
    tear_down(stage);
}

static void the_transport_is_chosen_by_the_url_or_by_force(void **state)
{
    static const struct {
        enum gw_transport_kind kind;
        bool is_tls, by_curl;
    } rows[] = {
        { GW_TRANSPORT_AUTO, false, false }, { GW_TRANSPORT_AUTO, true, true }, { GW_TRANSPORT_H1, false, false },
        { GW_TRANSPORT_CURL, false, true },  { GW_TRANSPORT_CURL, true, true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        stage->config.transport = rows[i].kind;
        stage->backends[0].is_tls = rows[i].is_tls;
        begin(stage, &one);
        assert_ptr_equal(one.reader.fetch->attempt.transport, rows[i].by_curl ? &stage->curl.base : &stage->h1.base);
        gw_fetch_leave(&one.reader);
        tear_down(stage);
    }
}

static void a_request_that_cannot_begin_leaves_nothing_behind(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    struct gw_coalescing_ask ask;
    may_be_stored(stage);
    assert_int_equal(enter(stage, &ask), GW_COALESCING_LEAD);
    stage->request.lead.coalesced = ask.coalesced;
    stage->begin_error = GW_ERROR_UPSTREAM_BUSY;
    assert_int_equal(gw_fetch_begin(&stage->fetcher, &stage->request, &one.reader), GW_ERROR_UPSTREAM_BUSY);
    assert_int_equal(one.events, 0);
    assert_null(one.reader.fetch);
    gw_coalescing_finish(&ask.coalesced); /* still the caller's */
    tear_down(stage);
}

static void a_request_larger_than_the_arena_is_refused(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    size_t much = 200 * 1024;
    char *fields = malloc(much);
    memset(fields, 'x', much);
    stage->request.fields = gw_slice_of(fields, much);
    assert_int_equal(gw_fetch_begin(&stage->fetcher, &stage->request, &one.reader), GW_ERROR_OVERLOADED);
    free(fields);
    tear_down(stage);
}

/* ---- the head ---- */

static void fields_of_this_hop_and_of_this_gateway_are_dropped_from_answers(void **state)
{
    static const char answer[] =
        "Connection: x-hop\nX-Hop: 1\nKeep-Alive: 5\nX-Cache: HIT\nX-Cache-Age: 3\n"
        "X-Request-Id: theirs\nX-RateLimit-Limit: 5\nAccess-Control-Allow-Origin: *\nETag: \"1\"\n";
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        stage->config.cors_alone = ours;
        begin(stage, &one);
        says_head(stage, 200, answer, 0);
        const struct gw_head *head = one.head;
        assert_null(gw_head_find_named(head, GW_SLICE("X-Hop")));
        assert_null(gw_head_find(head, GW_FIELD_CONNECTION));
        assert_null(gw_head_find(head, GW_FIELD_KEEP_ALIVE));
        assert_null(gw_head_find(head, GW_FIELD_X_CACHE));
        assert_null(gw_head_find(head, GW_FIELD_X_CACHE_AGE));
        assert_null(gw_head_find(head, GW_FIELD_X_REQUEST_ID));
        assert_non_null(gw_head_find(head, GW_FIELD_ETAG));
        assert_non_null(
            gw_head_find(head, GW_FIELD_X_RATELIMIT_LIMIT)); /* each reader's own limits decide whether it stays */
        assert_int_equal(gw_head_find(head, GW_FIELD_ACCESS_CONTROL_ALLOW_ORIGIN) == NULL, ours);
        ends(stage);
        tear_down(stage);
    }
}

static void an_answer_that_may_be_stored_gets_a_date_if_it_has_none(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    lead(stage, &one);
    says_head(stage, 200, "", 0);
    ends(stage);
    lead(stage, &two);
    says_head(stage, 200, "Date: Sun, 06 Nov 1994 08:49:37 GMT\nCache-Control: max-age=4000000000\n", 0);
    end_of_read(stage);
    assert_true(gw_slice_equal(gw_head_value(two.head, GW_FIELD_DATE), GW_SLICE("Sun, 06 Nov 1994 08:49:37 GMT")));
    ends(stage);
    assert_heard(&one, "200 end", 0);
    tear_down(stage);
}

/* ---- failures ---- */

static void a_failure_is_told_once_and_in_its_place(void **state)
{
    static const struct {
        int stop; /* after: nothing, head, body */
        const char *log;
    } rows[] = { { 0, "upstream_malformed" }, { 1, "200 upstream_malformed" }, { 2, "200 upstream_malformed" } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        begin(stage, &one);
        if (rows[i].stop >= 1)
            says_head(stage, 200, "", 100);
        if (rows[i].stop >= 2)
            says_body(stage, 40);
        fails(stage, GW_ERROR_UPSTREAM_MALFORMED);
        assert_heard(&one, rows[i].log, rows[i].stop == 2 ? 40 : 0);
        assert_ptr_equal(one.reader.backend, &stage->backends[0]);
        assert_int_equal(one.reader.upstream_us > 0, rows[i].stop > 0);
        assert_int_equal(stage->attempt_count, 1);
        assert_int_equal(gw_counter_read(&stage->shard.upstream_errors[GW_ERROR_UPSTREAM_MALFORMED]), 1);
        struct gw_backend_record *record = gw_registry_record(stage->fetcher.registry, 0);
        assert_int_equal(atomic_load(&record->state), GW_BACKEND_DOWN);
        tear_down(stage);
    }
}

enum again { NO, NEXT, FRESH }; /* not again; on the next backend; on a new connection to the same backend */

static void the_second_attempt_answers(struct stage *stage, struct listener *one, enum again again)
{
    struct attempt *second = last_attempt(stage);
    assert_heard(one, "", 0);
    assert_int_equal(second->fresh, again == FRESH);
    assert_ptr_equal(second->backend, &stage->backends[again == FRESH ? 0 : 1]);
    assert_false(second->call->was_sent || second->call->was_reused);
    assert_int_equal(gw_counter_read(&stage->shard.upstream_retries), 1);
    says_head(stage, 200, "", 3);
    says_body(stage, 3);
    ends(stage);
    assert_heard(one, "200 end", 3);
    assert_ptr_equal(one->reader.backend, second->backend);
}

static void a_request_is_sent_again_only_where_that_is_safe(void **state)
{
    static const struct row {
        enum gw_method method;
        enum gw_error error;
        bool was_sent, was_answered, was_reused, body_begun;
        enum again again;
    } rows[] = {
        /* nothing can have reached the backend: any method may be tried again */
        { GW_METHOD_GET, GW_ERROR_CONNECT, false, false, false, false, NEXT },
        { GW_METHOD_POST, GW_ERROR_CONNECT, false, false, false, false, NEXT },
        { GW_METHOD_PATCH, GW_ERROR_RESOLVE, false, false, false, false, NEXT },
        { GW_METHOD_OTHER, GW_ERROR_CONNECT_TIMEOUT, false, false, false, false, NEXT },
        { GW_METHOD_POST, GW_ERROR_RESET, false, false, false, false, NEXT },
        /* something may have reached the backend: only methods that may be repeated (RFC 9110 §9.2.2) */
        { GW_METHOD_GET, GW_ERROR_RESET, true, false, false, false, NEXT },
        { GW_METHOD_HEAD, GW_ERROR_RESET, true, false, false, false, NEXT },
        { GW_METHOD_PUT, GW_ERROR_RESET, true, false, false, false, NEXT },
        { GW_METHOD_DELETE, GW_ERROR_RESET, true, false, false, false, NEXT },
        { GW_METHOD_OPTIONS, GW_ERROR_RESET, true, false, false, false, NEXT },
        { GW_METHOD_POST, GW_ERROR_RESET, true, false, false, false, NO },
        { GW_METHOD_PATCH, GW_ERROR_RESET, true, false, false, false, NO },
        { GW_METHOD_OTHER, GW_ERROR_RESET, true, false, false, false, NO },
        /* a kept connection that died: the same backend, on a new one */
        { GW_METHOD_GET, GW_ERROR_RESET, true, false, true, false, FRESH },
        { GW_METHOD_PUT, GW_ERROR_RESET, true, false, true, false, FRESH },
        { GW_METHOD_POST, GW_ERROR_RESET, true, false, true, false, NO }, /* never a POST twice */
        { GW_METHOD_POST, GW_ERROR_RESET, false, false, true, false, FRESH },
        /* a part of an answer came */
        { GW_METHOD_GET, GW_ERROR_RESET, true, true, false, false, NO },
        { GW_METHOD_GET, GW_ERROR_RESET, true, true, true, false, NO },
        /* a part of the body was given and is gone */
        { GW_METHOD_PUT, GW_ERROR_RESET, true, false, false, true, NO },
        { GW_METHOD_PUT, GW_ERROR_RESET, true, false, true, true, NO },
        { GW_METHOD_PUT, GW_ERROR_CONNECT, false, false, false, true, NO },
        /* errors after which another try is no use, or does harm */
        { GW_METHOD_GET, GW_ERROR_RESPONSE_TIMEOUT, true, false, false, false, NO },
        { GW_METHOD_GET, GW_ERROR_UPSTREAM_MALFORMED, true, true, false, false, NO },
        { GW_METHOD_GET, GW_ERROR_TLS, false, false, false, false, NO },
        { GW_METHOD_GET, GW_ERROR_INTERNAL, false, false, false, false, NO },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct stage *stage = set_up();
        struct listener one = new_listener();
        stage->request.method = row->method;
        stage->request.has_body = stage->request.is_chunked = row->body_begun;
        begin(stage, &one);
        struct gw_call *call = last_attempt(stage)->call;
        call->was_sent = row->was_sent;
        call->was_answered = row->was_answered;
        call->was_reused = row->was_reused;
        if (row->body_begun)
            gw_fetch_send_body(&one.reader, GW_SLICE("x"), NULL);
        fails(stage, row->error);
        if (stage->attempt_count != (row->again == NO ? 1 : 2))
            fail_msg("row %zu: %u attempts", i, stage->attempt_count);
        if (row->again == NO) {
            assert_string_equal(one.log, gw_error_name(row->error));
        } else {
            the_second_attempt_answers(stage, &one, row->again);
        }
        tear_down(stage);
    }
}

static void tries_are_counted_and_a_dead_kept_connection_is_forgiven_once(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    stage->config.retries = 2;
    begin(stage, &one);
    for (int i = 0; i < 10 && !one.is_over; i++) { /* every connection is a kept one that is dead */
        last_attempt(stage)->call->was_sent = last_attempt(stage)->call->was_reused = true;
        fails(stage, GW_ERROR_RESET);
    }
    assert_string_equal(one.log, "upstream_reset");
    assert_int_equal(stage->attempt_count, 1 + 1 + 2); /* the same backend, fresh, and the two configured ones */
    assert_true(stage->attempts[1].fresh && !stage->attempts[2].fresh);
    tear_down(stage);
}

static void a_second_try_that_cannot_begin_ends_it(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    begin(stage, &one);
    stage->begin_error = GW_ERROR_UPSTREAM_BUSY;
    fails(stage, GW_ERROR_CONNECT);
    assert_string_equal(one.log, "upstream_refused");
    tear_down(stage);
}

static void another_backend_gets_its_own_host_and_base_path(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    stage->request.query = GW_SLICE("q=1");
    stage->backends[0].base_path = GW_SLICE("/a");
    stage->backends[1].base_path = GW_SLICE("/much/longer");
    begin(stage, &one);
    fails(stage, GW_ERROR_CONNECT);
    assert_string_equal(stage->attempts[0].target, "/a/x?q=1");
    assert_string_equal(stage->attempts[1].target, "/much/longer/x?q=1");
    assert_string_equal(stage->attempts[0].fields, "Host: one:8000\r\nAccept: text/plain\r\n");
    assert_string_equal(stage->attempts[1].fields, "Host: two:8001\r\nAccept: text/plain\r\n");
    gw_fetch_leave(&one.reader);
    tear_down(stage);
}

/* ---- leaving ---- */

static void a_reader_may_leave_within_any_event(void **state)
{
    static const char *const events[] = { "interim", "want", "head", "body", "flush", "end", "fail" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(events); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        one.leaves_at = events[i];
        stage->request.has_body = stage->request.is_chunked = true;
        begin(stage, &one);
        says_interim(stage, 103);
        if (!one.is_over)
            wants_body(stage);
        if (!one.is_over)
            says_head(stage, 200, "", CHUNKED);
        says_body(stage, 10);
        end_of_read(stage);
        unsigned events_before = one.events;
        if (strcmp(events[i], "fail") == 0)
            fails(stage, GW_ERROR_RESET);
        else
            ends(stage);
        assert_true(one.is_over);
        bool at_the_end = strcmp(events[i], "end") == 0 || strcmp(events[i], "fail") == 0;
        assert_int_equal(one.events, events_before + at_the_end);
        assert_int_equal(last_attempt(stage)->cancelled, !at_the_end);
        tear_down(stage);
    }
}

static void begin_another(struct listener *listener)
{
    struct listener *next = listener->context;
    begin(next->context, next);
}

static void the_next_fetch_may_begin_within_the_end_of_the_last(void **state)
{
    (void)state;
    for (int failing = 0; failing < 2; failing++) {
        struct stage *stage = set_up();
        struct listener two = new_listener(), one = new_listener();
        two.context = stage;
        one.context = &two;
        one.then = begin_another;
        begin(stage, &one);
        if (failing) {
            fails(stage, GW_ERROR_TLS);
        } else {
            says_head(stage, 200, "", 5);
            says_body(stage, 5);
            ends(stage);
        }
        assert_true(one.is_over);
        assert_int_equal(stage->attempt_count, 2);
        says_head(stage, 200, "", 7);
        says_body(stage, 7);
        ends(stage);
        assert_heard(&two, "200 end", 7);
        tear_down(stage);
    }
}

static void a_fetch_is_used_again_without_anything_of_the_last(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    for (unsigned i = 0; i < 300; i++) {
        struct listener one = new_listener();
        stage->attempt_count = 0;
        begin(stage, &one);
        says_head(stage, 200, "X-Field: 1\n", 20);
        says_body(stage, 20);
        if (i % 3)
            ends(stage);
        else
            gw_fetch_leave(&one.reader);
        assert_true(gw_list_is_empty(&stage->fetcher.busy));
        assert_int_equal(stage->fetcher.free.count, 1);
    }
    tear_down(stage);
}

static void the_pool_of_fetches_is_bounded(void **state)
{
    enum { MANY = 300 };
    (void)state;
    struct stage *stage = set_up();
    struct listener *listeners = calloc(MANY, sizeof *listeners);
    for (unsigned i = 0; i < MANY; i++) {
        listeners[i] = new_listener();
        stage->attempt_count = 0; /* none of them is looked at */
        begin(stage, &listeners[i]);
        last_attempt(stage)->call->inner = &stage->attempts[1]; /* each may be cancelled */
        stage->attempts[1].runs = true;
    }
    for (unsigned i = 0; i < MANY; i++) {
        stage->attempts[1].runs = true;
        gw_fetch_leave(&listeners[i].reader);
    }
    assert_true(gw_list_is_empty(&stage->fetcher.busy));
    assert_int_equal(stage->fetcher.free.count, 256);
    stage->attempt_count = 0;
    free(listeners);
    tear_down(stage);
}

/* The walks of the other tests are held to the table where checks are on. */
static void every_state_but_an_end_leads_to_over_and_none_leads_back(void **state)
{
    (void)state;
    for (enum gw_fetch_state in = GW_FETCH_ASKING; in <= GW_FETCH_OVER; in++)
        for (enum gw_fetch_state then = GW_FETCH_ASKING; then <= GW_FETCH_OVER; then++) {
            if (then == GW_FETCH_OVER)
                assert_int_equal(gw_fetch_may_move(in, then), in < GW_FETCH_COMPLETE);
            else if (then <= in && !(in == GW_FETCH_COLLECTING && then == GW_FETCH_PASSING))
                assert_false(gw_fetch_may_move(in, then));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passed_answer_arrives_in_order_and_by_reference),
        cmocka_unit_test(a_slow_reader_pauses_the_upstream_and_a_quick_one_lets_it_go_on),
        cmocka_unit_test(a_reader_that_pauses_before_or_with_the_head_gets_no_body_until_it_resumes),
        cmocka_unit_test(the_end_waits_for_a_paused_reader_and_its_head_stays),
        cmocka_unit_test(pause_and_resume_before_the_head_leave_no_trace),
        cmocka_unit_test(a_reader_that_leaves_takes_its_passing_fetch_with_it),
        cmocka_unit_test(the_requests_body_goes_to_the_backend),
        cmocka_unit_test(the_backend_is_asked_with_its_host_and_base_path),
        cmocka_unit_test(without_a_host_of_its_own_the_request_gets_the_backends),
        cmocka_unit_test(backends_are_asked_in_turn),
        cmocka_unit_test(the_transport_is_chosen_by_the_url_or_by_force),
        cmocka_unit_test(a_request_that_cannot_begin_leaves_nothing_behind),
        cmocka_unit_test(a_request_larger_than_the_arena_is_refused),
        cmocka_unit_test(fields_of_this_hop_and_of_this_gateway_are_dropped_from_answers),
        cmocka_unit_test(an_answer_that_may_be_stored_gets_a_date_if_it_has_none),
        cmocka_unit_test(a_failure_is_told_once_and_in_its_place),
        cmocka_unit_test(a_request_is_sent_again_only_where_that_is_safe),
        cmocka_unit_test(tries_are_counted_and_a_dead_kept_connection_is_forgiven_once),
        cmocka_unit_test(a_second_try_that_cannot_begin_ends_it),
        cmocka_unit_test(another_backend_gets_its_own_host_and_base_path),
        cmocka_unit_test(a_reader_may_leave_within_any_event),
        cmocka_unit_test(the_next_fetch_may_begin_within_the_end_of_the_last),
        cmocka_unit_test(a_fetch_is_used_again_without_anything_of_the_last),
        cmocka_unit_test(the_pool_of_fetches_is_bounded),
        cmocka_unit_test(every_state_but_an_end_leads_to_over_and_none_leads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
