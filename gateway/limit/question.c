/* question.c: makes calls of bucket queries, and settlements and a decision of the replies.
 *
 *   gw_limit_ask ── nothing to ask, known to refuse, store down ──► decided here
 *      │
 *      ▼  one call for the buckets that may refuse, one for each shadow bucket
 *   pending ── reply of a call ──► its buckets are settled; after the last reply: decided, done, freed
 *      │
 *      └── given up, cancelled ──► the owner hears nothing more; replies settle as they come; the last one frees */
#include "limit/question.h"
#include <stdlib.h>
#include "base/clock.h"
#include "limit/bucket_queries.h"

enum { NUMBERS = 4, NUMBER_BYTES = 20 }; /* for each bucket, in a call and in its reply */

enum query_state { NOT_ASKED, PENDING, ANSWERED, LOST };

/* The bucket queries of a request, and the state of each. */
struct query_view {
    struct gw_limiter *limiter;
    unsigned count;
    const struct gw_limit_policy **policies;
    struct gw_bucket_query *queries;
    const uint8_t *states;
    bool store_refuses; /* a bucket that is not shadow refuses */
};

struct call { /* the context of a reply */
    struct gw_limit_question *question;
    unsigned query; /* the call's shadow bucket, or the first bucket that is not shadow */
};

struct gw_limit_question {
    struct query_view view; /* of the arrays below */
    uint64_t sent_us;

    struct gw_limit_decision *decision; /* NULL: the question was given up or cancelled */
    gw_limit_done *done;
    void *owner;
    unsigned pending;  /* calls without a reply */
    bool was_given_up; /* then the local buckets were charged already */
    uint8_t states[GW_LIMIT_POLICIES_PER_REQUEST];
    const struct gw_limit_policy *policies[GW_LIMIT_POLICIES_PER_REQUEST];
    struct call calls[GW_LIMIT_POLICIES_PER_REQUEST];
    struct gw_bucket_query queries[];
};

/* ---- decisions without the store's answer ---- */

static bool question_is_open(const struct query_view *view, unsigned i)
{
    return view->states[i] == PENDING || view->states[i] == LOST;
}

static bool question_is_denied(const struct query_view *view)
{
    for (unsigned i = 0; i < view->count; i++)
        if (question_is_open(view, i) && !view->queries[i].shadow &&
            view->policies[i]->on_redis_failure == GW_LIMIT_FAILS_DENY)
            return true;
    return false;
}

/* Takes from the local buckets of the queries that the store did not answer. False: one refuses. */
static bool question_take_open(const struct query_view *view, uint64_t now_us)
{
    struct gw_bucket_query open[GW_LIMIT_POLICIES_PER_REQUEST];
    unsigned which[GW_LIMIT_POLICIES_PER_REQUEST], count = 0;
    for (unsigned i = 0; i < view->count; i++) {
        if (!question_is_open(view, i))
            continue;
        open[count] = view->queries[i];
        open[count].always = view->policies[i]->on_redis_failure == GW_LIMIT_FAILS_ALLOW && !view->queries[i].shadow;
        which[count++] = i;
    }
    bool allowed = !count || gw_clients_take(view->limiter->clients, open, count, now_us);
    for (unsigned i = 0; i < count; i++)
        view->queries[which[i]].answer = open[i].answer;
    return allowed;
}

static void question_decide(const struct query_view *view, uint64_t now_us, struct gw_limit_decision *decision)
{
    for (unsigned i = 0; i < view->count; i++)
        decision->is_local |= question_is_open(view, i);
    if (!view->store_refuses && question_is_denied(view)) {
        decision->verdict = GW_LIMIT_UNKNOWN;
        return;
    }
    bool allowed = !view->store_refuses && question_take_open(view, now_us);
    gw_bucket_queries_add_outcomes(view->policies, view->queries, view->count, decision);
    gw_bucket_queries_set_verdict(decision, allowed);
}

static void question_decide_alone(struct gw_limiter *limiter, struct gw_bucket_queries *queries, uint64_t now_us,
                                  struct gw_limit_decision *decision)
{
    uint8_t states[GW_LIMIT_POLICIES_PER_REQUEST];
    memset(states, LOST, sizeof states);
    struct query_view view = { limiter, queries->count, queries->policies, queries->queries, states, false };
    question_decide(&view, now_us, decision);
}

/* ---- replies ---- */

static bool question_is_of_call(const struct gw_limit_question *question, const struct call *call, unsigned i)
{
    return question->queries[call->query].shadow ? i == call->query : !question->queries[i].shadow;
}

/* Makes an answer of the four numbers of a bucket. False: they make no sense. */
static bool question_read_answer(struct gw_bucket_answer *answer, const struct gw_limit_policy *policy,
                                 const int64_t *numbers)
{
    if ((numbers[0] != 0 && numbers[0] != 1) || numbers[1] < 0 || (uint64_t)numbers[1] > policy->burst ||
        numbers[2] < 0 || numbers[3] < 0)
        return false;
    *answer = (struct gw_bucket_answer) { numbers[0] == 1, (uint64_t)numbers[1], (uint64_t)numbers[2],
                                          (uint64_t)numbers[3] };
    return true;
}

/* Reads the answers of all buckets of a call; `answers` has the index of the query. False: the reply is not one to this
 * call. */
static bool question_read_reply(const struct gw_limit_question *question, const struct call *call,
                                const struct gw_store_reply *reply, struct gw_bucket_answer *answers)
{
    unsigned at = 0;
    if (reply->result != GW_STORE_INTEGERS)
        return false;
    for (unsigned i = 0; i < question->view.count; i++) {
        if (!question_is_of_call(question, call, i))
            continue;
        if (at + NUMBERS > reply->integer_count ||
            !question_read_answer(&answers[i], question->policies[i], reply->integers + at))
            return false;
        at += NUMBERS;
    }
    return at == reply->integer_count;
}

/* The store's bucket after the call, counted from the moment when the call was sent. Where the script's instants have a
 * rest, the script has rounded the time until full up. So the bucket lacks at least one part more than a µs less. */
static struct gw_bucket question_level_of(const struct gw_limit_policy *policy, const struct gw_bucket_answer *answer,
                                          uint64_t sent_us)
{
    if (!answer->full_after_us)
        return (struct gw_bucket) { 0 };
    bool is_rounded = policy->script_n > 1;
    return (struct gw_bucket) { sent_us + answer->full_after_us - is_rounded, is_rounded };
}

static void question_settle(struct gw_limit_question *question, unsigned i, enum gw_bucket_outcome outcome,
                            uint64_t now_us)
{
    struct gw_bucket_query *query = &question->queries[i];
    struct gw_client_settlement settlement = { .outcome = outcome,
                                               .is_charged = outcome == GW_BUCKET_TAKEN && !question->was_given_up,
                                               .sent_us = question->sent_us };
    if (outcome != GW_BUCKET_LOST)
        settlement.level = question_level_of(question->policies[i], &query->answer, question->sent_us);
    question->states[i] = outcome == GW_BUCKET_LOST ? LOST : ANSWERED;
    gw_clients_settle(question->view.limiter->clients, query, &settlement, now_us);
}

static void question_settle_lost(struct gw_limit_question *question, const struct call *call, uint64_t now_us)
{
    for (unsigned i = 0; i < question->view.count; i++)
        if (question_is_of_call(question, call, i))
            question_settle(question, i, GW_BUCKET_LOST, now_us);
}

static void question_settle_answered(struct gw_limit_question *question, const struct call *call,
                                     const struct gw_bucket_answer *answers, uint64_t now_us)
{
    bool taken = true;
    for (unsigned i = 0; i < question->view.count; i++)
        if (question_is_of_call(question, call, i) && !answers[i].allowed)
            taken = false;
    if (!taken && !question->queries[call->query].shadow)
        question->view.store_refuses = true;
    for (unsigned i = 0; i < question->view.count; i++) {
        if (!question_is_of_call(question, call, i))
            continue;
        question->queries[i].answer = answers[i];
        question_settle(question, i, taken ? GW_BUCKET_TAKEN : GW_BUCKET_NOT_TAKEN, now_us);
    }
}

static void question_on_reply(void *owner, const struct gw_store_reply *reply)
{
    struct call *call = owner;
    struct gw_limit_question *question = call->question;
    struct gw_bucket_answer answers[GW_LIMIT_POLICIES_PER_REQUEST];
    uint64_t now_us = gw_clock_monotonic_us();
    if (question_read_reply(question, call, reply, answers))
        question_settle_answered(question, call, answers, now_us);
    else
        question_settle_lost(question, call, now_us);
    if (--question->pending)
        return;
    gw_limit_done *done = question->done;
    void *waiting = question->owner;
    bool is_awaited = question->decision != NULL;
    if (is_awaited)
        question_decide(&question->view, now_us, question->decision);
    free(question);
    if (is_awaited)
        done(waiting);
}

/* ---- calls ---- */

static struct gw_slice question_put_number(struct gw_buffer *text, uint64_t number)
{
    size_t start = text->length;
    gw_buffer_put_uint(text, number);
    return gw_slice_of(text->at + start, text->length - start);
}

/* False: the call cannot be made. */
static bool question_make_call(struct gw_limit_question *question, const struct gw_limit_asker *asker,
                               struct call *call)
{
    enum { BYTES = GW_LIMIT_POLICIES_PER_REQUEST * (GW_BUCKET_KEY_BYTES + NUMBERS * NUMBER_BYTES) };
    char memory[BYTES];
    struct gw_buffer text = gw_buffer_over(memory, sizeof memory);
    struct gw_slice keys[GW_LIMIT_POLICIES_PER_REQUEST], numbers[NUMBERS * GW_LIMIT_POLICIES_PER_REQUEST];
    unsigned count = 0;
    for (unsigned i = 0; i < question->view.count; i++) {
        const struct gw_limit_policy *policy = question->policies[i];
        if (!question_is_of_call(question, call, i))
            continue;
        size_t start = text.length;
        gw_bucket_queries_put_key(asker->config, policy, &question->queries[i].key, &text);
        keys[count] = gw_slice_of(text.at + start, text.length - start);
        numbers[NUMBERS * count] = question_put_number(&text, policy->script_n);
        numbers[NUMBERS * count + 1] = question_put_number(&text, policy->script_period_us);
        numbers[NUMBERS * count + 2] = question_put_number(&text, policy->burst);
        numbers[NUMBERS * count + 3] = question_put_number(&text, policy->cost);
        question->states[i] = PENDING;
        count++;
    }
    if (text.overflowed || !gw_store_run(asker->store, GW_STORE_TOKEN_BUCKET, keys, count, numbers, NUMBERS * count,
                                         GW_NO_SLICE, NULL, question_on_reply, call))
        return false;
    question->pending++;
    return true;
}

/* The call for the buckets that may refuse is first: if it cannot be made, the other calls are useless. */
static void question_send_all(struct gw_limit_question *question, const struct gw_limit_asker *asker, uint64_t now_us)
{
    struct gw_limit_question *q = question;
    unsigned calls = 0, first = 0;
    bool is_sent = true;
    while (first < q->view.count && q->queries[first].shadow)
        first++;
    if (first < q->view.count) {
        q->calls[calls] = (struct call) { q, first };
        is_sent = question_make_call(q, asker, &q->calls[calls]);
        if (!is_sent)
            question_settle_lost(q, &q->calls[calls], now_us);
        calls++;
    }
    for (unsigned i = 0; i < q->view.count; i++) {
        if (!q->queries[i].shadow || !q->queries[i].is_asked)
            continue;
        q->calls[calls] = (struct call) { q, i };
        is_sent = is_sent && question_make_call(q, asker, &q->calls[calls]);
        if (!is_sent)
            question_settle_lost(q, &q->calls[calls], now_us);
        calls++;
    }
}

static struct gw_limit_question *question_of(struct gw_limiter *limiter, const struct gw_bucket_queries *queries,
                                             uint64_t now_us)
{
    size_t query_bytes = queries->count * sizeof queries->queries[0];
    struct gw_limit_question *question = malloc(sizeof *question + query_bytes);
    if (!question)
        return NULL;
    *question = (struct gw_limit_question) { .sent_us = now_us };
    memcpy(question->policies, queries->policies, sizeof question->policies);
    memcpy(question->queries, queries->queries, query_bytes);
    question->view = (struct query_view) { limiter,           queries->count,   question->policies,
                                           question->queries, question->states, false };
    return question;
}

static void question_give_back(struct gw_limiter *limiter, const struct gw_bucket_queries *queries, uint64_t now_us)
{
    for (unsigned i = 0; i < queries->count; i++)
        if (queries->queries[i].is_asked)
            gw_clients_settle(limiter->clients, &queries->queries[i],
                              &(struct gw_client_settlement) { .outcome = GW_BUCKET_LOST }, now_us);
}

static void question_name_instances(struct gw_bucket_queries *queries, const struct gw_limit_asker *asker)
{
    unsigned instances = asker->instances ? asker->instances(asker->context) : 1;
    for (unsigned i = 0; i < queries->count; i++)
        queries->queries[i].instances = (uint16_t)(instances < GW_CLIENT_INSTANCES ? instances : GW_CLIENT_INSTANCES);
}

/* Is there a bucket about which the store must be asked? */
static bool question_has_asked(const struct gw_bucket_queries *queries)
{
    for (unsigned i = 0; i < queries->count; i++)
        if (queries->queries[i].is_asked)
            return true;
    return false;
}

/* Sends the calls; the costs are reserved already. False: the request is decided after all. */
static bool question_put(struct gw_limit_asker *asker, struct gw_bucket_queries *queries, uint64_t now_us,
                         struct gw_limit_decision *decision, struct gw_limit_question **question)
{
    *question = question_of(asker->limiter, queries, now_us);
    if (!*question) {
        question_give_back(asker->limiter, queries, now_us);
        question_decide_alone(asker->limiter, queries, now_us, decision);
        return false;
    }
    question_send_all(*question, asker, now_us);
    if ((*question)->pending)
        return true;
    question_decide(&(*question)->view, now_us, decision);
    free(*question);
    *question = NULL;
    return false;
}

bool gw_limit_ask(struct gw_limit_asker *asker, const struct gw_limit_subject *subject, bool misses, uint64_t now_us,
                  struct gw_limit_decision *decision, struct gw_limit_question **question, gw_limit_done *done,
                  void *owner)
{
    struct gw_bucket_queries queries;
    *question = NULL;
    if (!asker->store) {
        gw_limiter_decide(asker->limiter, asker->config, subject, misses, now_us, decision);
        return true;
    }
    gw_bucket_queries_collect(&queries, asker->limiter, asker->config, subject, misses,
                              GW_LIMIT_POLICIES_PER_REQUEST - decision->count);
    if (!queries.count)
        return true;
    question_name_instances(&queries, asker);
    if (!gw_store_is_up(asker->store)) {
        question_decide_alone(asker->limiter, &queries, now_us, decision);
        return true;
    }
    bool may_pass = gw_clients_reserve(asker->limiter->clients, queries.queries, queries.count, now_us);
    if (!may_pass || !question_has_asked(&queries)) {
        gw_bucket_queries_add_outcomes(queries.policies, queries.queries, queries.count, decision);
        gw_bucket_queries_set_verdict(decision, may_pass);
        return true;
    }
    if (!question_put(asker, &queries, now_us, decision, question))
        return true;
    (*question)->decision = decision;
    (*question)->done = done;
    (*question)->owner = owner;
    return false;
}

void gw_limit_give_up(struct gw_limit_question **taken, uint64_t now_us)
{
    struct gw_limit_question *question = *taken;
    *taken = NULL;
    question_decide(&question->view, now_us, question->decision);
    question->decision = NULL;
    question->was_given_up = true;
}

void gw_limit_cancel(struct gw_limit_question **taken)
{
    if (*taken)
        (*taken)->decision = NULL;
    *taken = NULL;
}
