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
#include "base/check.h"
#include "base/clock.h"
#include "limit/bucket_queries.h"

enum { NUMBERS = 4, NUMBER_BYTES = 20 }; /* for each bucket, in a call and in its reply */

enum { LIMIT_QUESTION_MAGIC = 0x4c515354, LIMIT_CALL_MAGIC = 0x4c43414c }; /* LQST, LCAL */

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
    struct gw_magic magic;
    struct gw_limit_question *question;
    unsigned query; /* the call's shadow bucket, or the first bucket that is not shadow */
};

struct gw_limit_question {
    struct gw_magic magic;
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
    bool is_denied = false;
    for (unsigned i = 0; i < view->count; i++) {
        if (!question_is_open(view, i))
            continue;
        decision->is_local = true;
        is_denied |= !view->queries[i].shadow && view->policies[i]->on_redis_failure == GW_LIMIT_FAILS_DENY;
    }
    if (!view->store_refuses && is_denied) {
        decision->verdict = GW_LIMIT_UNKNOWN;
        return;
    }
    bool allowed = !view->store_refuses && question_take_open(view, now_us);
    gw_bucket_queries_add_outcomes(view->policies, view->queries, view->count, allowed, decision);
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

/* Reads the answers of all buckets of a call, four numbers for each; `answers` has the index of the query. False: the
 * reply is not one to this call, or its numbers make no sense. */
static bool question_read_reply(const struct gw_limit_question *question, const struct call *call,
                                const struct gw_store_reply *reply, struct gw_bucket_answer *answers)
{
    unsigned at = 0;
    if (reply->result != GW_STORE_INTEGERS)
        return false;
    for (unsigned i = 0; i < question->view.count; i++) {
        if (!question_is_of_call(question, call, i))
            continue;
        if (at + NUMBERS > reply->integer_count)
            return false;
        const int64_t *n = reply->integers + at;
        if ((n[0] != 0 && n[0] != 1) || n[1] < 0 || (uint64_t)n[1] > question->policies[i]->burst || n[2] < 0 ||
            n[3] < 0)
            return false;
        answers[i] = (struct gw_bucket_answer) { n[0] == 1, (uint64_t)n[1], (uint64_t)n[2], (uint64_t)n[3] };
        at += NUMBERS;
    }
    return at == reply->integer_count;
}

static void question_settle(struct gw_limit_question *question, unsigned i, enum gw_bucket_outcome outcome,
                            uint64_t now_us)
{
    struct gw_bucket_query *query = &question->queries[i];
    struct gw_client_settlement settlement = { .outcome = outcome,
                                               .is_charged = outcome == GW_BUCKET_TAKEN && !question->was_given_up,
                                               .sent_us = question->sent_us };
    if (outcome != GW_BUCKET_LOST && query->answer.full_after_us) {
        /* The store's bucket after the call, counted from the moment when the call was sent. Where the script's instants
         * have a rest, the script has rounded the time until full up. So the bucket lacks at least one part more than a
         * µs less. */
        bool is_rounded = question->policies[i]->script_n > 1;
        settlement.level.full_at_us = question->sent_us + query->answer.full_after_us - is_rounded;
        settlement.level.rest = is_rounded;
    }
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
    struct call *call = GW_FROM_CONTEXT(owner, struct call, LIMIT_CALL_MAGIC);
    struct gw_limit_question *question = call->question;
    struct gw_bucket_answer answers[GW_LIMIT_POLICIES_PER_REQUEST];
    uint64_t now_us = gw_clock_monotonic_us();
    GW_CHECK_MAGIC(question, LIMIT_QUESTION_MAGIC);
    if (question_read_reply(question, call, reply, answers))
        question_settle_answered(question, call, answers, now_us);
    else
        question_settle_lost(question, call, now_us);
    call->magic = GW_NO_MAGIC; /* it has its reply */
    if (--question->pending)
        return;
    gw_limit_done *done = question->done;
    void *waiting = question->owner;
    bool is_awaited = question->decision != NULL;
    if (is_awaited)
        question_decide(&question->view, now_us, question->decision);
    question->magic = GW_NO_MAGIC;
    free(question);
    if (is_awaited)
        done(waiting);
}

/* ---- calls ---- */

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
        const uint64_t values[NUMBERS] = { policy->script_n, policy->script_period_us, policy->burst, policy->cost };
        size_t start = text.length;
        gw_bucket_queries_put_key(asker->config, policy, &question->queries[i].key, &text);
        keys[count] = gw_slice_of(text.at + start, text.length - start);
        for (unsigned n = 0; n < NUMBERS; n++) {
            start = text.length;
            gw_buffer_put_uint(&text, values[n]);
            numbers[NUMBERS * count + n] = gw_slice_of(text.at + start, text.length - start);
        }
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
        q->calls[calls] = (struct call) { .magic = GW_MAGIC(LIMIT_CALL_MAGIC), .question = q, .query = first };
        is_sent = question_make_call(q, asker, &q->calls[calls]);
        if (!is_sent)
            question_settle_lost(q, &q->calls[calls], now_us);
        calls++;
    }
    for (unsigned i = 0; i < q->view.count; i++) {
        if (!q->queries[i].shadow || !q->queries[i].is_asked)
            continue;
        q->calls[calls] = (struct call) { .magic = GW_MAGIC(LIMIT_CALL_MAGIC), .question = q, .query = i };
        is_sent = is_sent && question_make_call(q, asker, &q->calls[calls]);
        if (!is_sent)
            question_settle_lost(q, &q->calls[calls], now_us);
        calls++;
    }
}

static void question_give_back(struct gw_limiter *limiter, const struct gw_bucket_queries *queries, uint64_t now_us)
{
    for (unsigned i = 0; i < queries->count; i++)
        if (queries->queries[i].is_asked)
            gw_clients_settle(limiter->clients, &queries->queries[i],
                              &(struct gw_client_settlement) { .outcome = GW_BUCKET_LOST }, now_us);
}

/* Sends the calls; the costs are reserved already. NULL: no call could be sent, and the request is decided. */
static struct gw_limit_question *question_put(struct gw_limit_asker *asker, struct gw_bucket_queries *queries,
                                              uint64_t now_us, struct gw_limit_decision *decision)
{
    size_t query_bytes = queries->count * sizeof queries->queries[0];
    struct gw_limit_question *question = malloc(sizeof *question + query_bytes);
    if (!question) {
        question_give_back(asker->limiter, queries, now_us);
        question_decide_alone(asker->limiter, queries, now_us, decision);
        return NULL;
    }
    *question = (struct gw_limit_question) { .magic = GW_MAGIC(LIMIT_QUESTION_MAGIC), .sent_us = now_us };
    memcpy(question->policies, queries->policies, sizeof question->policies);
    memcpy(question->queries, queries->queries, query_bytes);
    question->view = (struct query_view) { asker->limiter,    queries->count,   question->policies,
                                           question->queries, question->states, false };
    question_send_all(question, asker, now_us);
    if (question->pending)
        return question;
    question_decide(&question->view, now_us, decision);
    question->magic = GW_NO_MAGIC;
    free(question);
    return NULL;
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
    unsigned instances = asker->instances ? asker->instances(asker->context) : 1;
    for (unsigned i = 0; i < queries.count; i++)
        queries.queries[i].instances = (uint16_t)(instances < GW_CLIENT_INSTANCES ? instances : GW_CLIENT_INSTANCES);
    if (!gw_store_is_up(asker->store)) {
        question_decide_alone(asker->limiter, &queries, now_us, decision);
        return true;
    }
    bool may_pass = gw_clients_reserve(asker->limiter->clients, queries.queries, queries.count, now_us);
    bool is_asked = false; /* is there a bucket about which the store must be asked? */
    for (unsigned i = 0; i < queries.count; i++)
        is_asked |= queries.queries[i].is_asked;
    if (!may_pass || !is_asked) {
        gw_bucket_queries_add_outcomes(queries.policies, queries.queries, queries.count, may_pass, decision);
        return true;
    }
    *question = question_put(asker, &queries, now_us, decision);
    if (!*question)
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
    GW_CHECK_MAGIC(question, LIMIT_QUESTION_MAGIC);
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
