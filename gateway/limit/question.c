/* question.c: from asks to calls, and from replies to settlements and a decision.
 *
 *     ask ── nothing to ask, known to refuse, store down ──► decided here
 *      │
 *      ▼  one call for the buckets that may refuse, one for each shadow bucket
 *   pending ── reply of a call ──► its buckets are settled; after the last: decided, done, freed
 *      │
 *      └── given up, forgotten ──► decision and owner are let go; replies settle as they come; the last one frees */
#include "limit/question.h"
#include <stdlib.h>
#include "base/clock.h"
#include "limit/asks.h"

enum { NUMBERS = 4, NUMBER_BYTES = 20 }; /* of a bucket, in a call and in its reply */

enum fate { NOT_ASKED, PENDING, ANSWERED, LOST };

/* A request's buckets and how far they are known. */
struct matter {
    struct gw_limiter *limiter;
    unsigned count;
    const struct gw_limit_policy **policies;
    struct gw_client_ask *asks;
    const uint8_t *fates;
    bool store_refuses; /* one of the buckets that may */
};

struct call { /* what a reply comes back to */
    struct gw_limit_question *question;
    unsigned ask; /* a shadow bucket's; of the others, the first one's */
};

struct gw_limit_question {
    struct matter matter; /* over the arrays below */
    uint64_t sent_us;

    struct gw_limit_decision *decision; /* NULL: nobody waits for it */
    gw_limit_done *done;
    void *owner;
    unsigned pending;  /* calls */
    bool was_given_up; /* and so was charged for by that */
    uint8_t fates[GW_LIMIT_POLICIES_PER_REQUEST];
    const struct gw_limit_policy *policies[GW_LIMIT_POLICIES_PER_REQUEST];
    struct call calls[GW_LIMIT_POLICIES_PER_REQUEST];
    struct gw_client_ask asks[];
};

/* ---- deciding here what the store did not ---- */

static bool is_open(const struct matter *matter, unsigned i)
{
    return matter->fates[i] == PENDING || matter->fates[i] == LOST;
}

static bool is_denied(const struct matter *matter)
{
    for (unsigned i = 0; i < matter->count; i++)
        if (is_open(matter, i) && !matter->asks[i].shadow &&
            matter->policies[i]->on_redis_failure == GW_LIMIT_FAILS_DENY)
            return true;
    return false;
}

/* By the local buckets. False: one refuses. */
static bool take_open(const struct matter *matter, uint64_t now_us)
{
    struct gw_client_ask open[GW_LIMIT_POLICIES_PER_REQUEST];
    unsigned which[GW_LIMIT_POLICIES_PER_REQUEST], count = 0;
    for (unsigned i = 0; i < matter->count; i++) {
        if (!is_open(matter, i))
            continue;
        open[count] = matter->asks[i];
        open[count].always = matter->policies[i]->on_redis_failure == GW_LIMIT_FAILS_ALLOW && !matter->asks[i].shadow;
        which[count++] = i;
    }
    bool allowed = !count || gw_clients_take(matter->limiter->clients, open, count, now_us);
    for (unsigned i = 0; i < count; i++)
        matter->asks[which[i]].answer = open[i].answer;
    return allowed;
}

static void decide(const struct matter *matter, uint64_t now_us, struct gw_limit_decision *decision)
{
    for (unsigned i = 0; i < matter->count; i++)
        decision->is_local |= is_open(matter, i);
    if (!matter->store_refuses && is_denied(matter)) {
        decision->verdict = GW_LIMIT_UNKNOWN;
        return;
    }
    bool allowed = !matter->store_refuses && take_open(matter, now_us);
    gw_asks_tell(matter->policies, matter->asks, matter->count, decision);
    gw_asks_judge(decision, allowed);
}

static void decide_alone(struct gw_limiter *limiter, struct gw_asks *asks, uint64_t now_us,
                         struct gw_limit_decision *decision)
{
    uint8_t fates[GW_LIMIT_POLICIES_PER_REQUEST];
    memset(fates, LOST, sizeof fates);
    struct matter matter = { limiter, asks->count, asks->policies, asks->asks, fates, false };
    decide(&matter, now_us, decision);
}

/* ---- what comes back ---- */

static bool is_of_call(const struct gw_limit_question *question, const struct call *call, unsigned i)
{
    return question->asks[call->ask].shadow ? i == call->ask : !question->asks[i].shadow;
}

/* Four numbers of a bucket into an answer. False where they make no sense. */
static bool read_answer(struct gw_bucket_answer *answer, const struct gw_limit_policy *policy, const int64_t *numbers)
{
    if ((numbers[0] != 0 && numbers[0] != 1) || numbers[1] < 0 || (uint64_t)numbers[1] > policy->burst ||
        numbers[2] < 0 || numbers[3] < 0)
        return false;
    *answer = (struct gw_bucket_answer) { numbers[0] == 1, (uint64_t)numbers[1], (uint64_t)numbers[2],
                                          (uint64_t)numbers[3] };
    return true;
}

/* Of all buckets of a call, into *answers by ask; false if the reply is none, or not of this call. */
static bool read_reply(const struct gw_limit_question *question, const struct call *call,
                       const struct gw_store_reply *reply, struct gw_bucket_answer *answers)
{
    unsigned at = 0;
    if (reply->result != GW_STORE_INTEGERS)
        return false;
    for (unsigned i = 0; i < question->matter.count; i++) {
        if (!is_of_call(question, call, i))
            continue;
        if (at + NUMBERS > reply->integer_count ||
            !read_answer(&answers[i], question->policies[i], reply->integers + at))
            return false;
        at += NUMBERS;
    }
    return at == reply->integer_count;
}

/* The store's bucket as it was left, counted from the moment sent. Where the script's instants have a rest, it told the
 * time until full rounded up: at least one part more than a µs less is lacking. */
static struct gw_bucket level_of(const struct gw_limit_policy *policy, const struct gw_bucket_answer *answer,
                                 uint64_t sent_us)
{
    if (!answer->full_after_us)
        return (struct gw_bucket) { 0 };
    bool is_rounded = policy->script_n > 1;
    return (struct gw_bucket) { sent_us + answer->full_after_us - is_rounded, is_rounded };
}

static void settle(struct gw_limit_question *question, unsigned i, enum gw_client_news news, uint64_t now_us)
{
    struct gw_client_ask *ask = &question->asks[i];
    struct gw_client_settlement settlement = { .news = news,
                                               .is_charged = news == GW_CLIENT_TAKEN && !question->was_given_up,
                                               .sent_us = question->sent_us };
    if (news != GW_CLIENT_LOST)
        settlement.level = level_of(question->policies[i], &ask->answer, question->sent_us);
    question->fates[i] = news == GW_CLIENT_LOST ? LOST : ANSWERED;
    gw_clients_settle(question->matter.limiter->clients, ask, &settlement, now_us);
}

static void settle_lost(struct gw_limit_question *question, const struct call *call, uint64_t now_us)
{
    for (unsigned i = 0; i < question->matter.count; i++)
        if (is_of_call(question, call, i))
            settle(question, i, GW_CLIENT_LOST, now_us);
}

static void settle_answered(struct gw_limit_question *question, const struct call *call,
                            const struct gw_bucket_answer *answers, uint64_t now_us)
{
    bool taken = true;
    for (unsigned i = 0; i < question->matter.count; i++)
        if (is_of_call(question, call, i) && !answers[i].allowed)
            taken = false;
    if (!taken && !question->asks[call->ask].shadow)
        question->matter.store_refuses = true;
    for (unsigned i = 0; i < question->matter.count; i++) {
        if (!is_of_call(question, call, i))
            continue;
        question->asks[i].answer = answers[i];
        settle(question, i, taken ? GW_CLIENT_TAKEN : GW_CLIENT_NOT_TAKEN, now_us);
    }
}

static void on_reply(void *owner, const struct gw_store_reply *reply)
{
    struct call *call = owner;
    struct gw_limit_question *question = call->question;
    struct gw_bucket_answer answers[GW_LIMIT_POLICIES_PER_REQUEST];
    uint64_t now_us = gw_clock_monotonic_us();
    if (read_reply(question, call, reply, answers))
        settle_answered(question, call, answers, now_us);
    else
        settle_lost(question, call, now_us);
    if (--question->pending)
        return;
    gw_limit_done *done = question->done;
    void *waiting = question->owner;
    bool is_awaited = question->decision != NULL;
    if (is_awaited)
        decide(&question->matter, now_us, question->decision);
    free(question);
    if (is_awaited)
        done(waiting);
}

/* ---- what is sent ---- */

static struct gw_slice put_number(struct gw_buffer *text, uint64_t number)
{
    size_t start = text->length;
    gw_buffer_put_uint(text, number);
    return gw_slice_of(text->at + start, text->length - start);
}

/* False if the call cannot be made. */
static bool make_call(struct gw_limit_question *question, const struct gw_limit_asker *asker, struct call *call)
{
    enum { BYTES = GW_LIMIT_POLICIES_PER_REQUEST * (GW_ASKS_KEY_BYTES + NUMBERS * NUMBER_BYTES) };
    char memory[BYTES];
    struct gw_buffer text = gw_buffer_over(memory, sizeof memory);
    struct gw_slice keys[GW_LIMIT_POLICIES_PER_REQUEST], numbers[NUMBERS * GW_LIMIT_POLICIES_PER_REQUEST];
    unsigned count = 0;
    for (unsigned i = 0; i < question->matter.count; i++) {
        const struct gw_limit_policy *policy = question->policies[i];
        if (!is_of_call(question, call, i))
            continue;
        size_t start = text.length;
        gw_asks_put_key(asker->config, policy, &question->asks[i].key, &text);
        keys[count] = gw_slice_of(text.at + start, text.length - start);
        numbers[NUMBERS * count] = put_number(&text, policy->script_n);
        numbers[NUMBERS * count + 1] = put_number(&text, policy->script_period_us);
        numbers[NUMBERS * count + 2] = put_number(&text, policy->burst);
        numbers[NUMBERS * count + 3] = put_number(&text, policy->cost);
        question->fates[i] = PENDING;
        count++;
    }
    if (text.overflowed || !gw_store_run(asker->store, GW_STORE_TOKEN_BUCKET, keys, count, numbers, NUMBERS * count,
                                         GW_NO_SLICE, NULL, on_reply, call))
        return false;
    question->pending++;
    return true;
}

/* The call of the buckets that may refuse first: without it no other is of use. */
static void send_all(struct gw_limit_question *question, const struct gw_limit_asker *asker, uint64_t now_us)
{
    struct gw_limit_question *q = question;
    unsigned calls = 0, first = 0;
    bool is_sent = true;
    while (first < q->matter.count && q->asks[first].shadow)
        first++;
    if (first < q->matter.count) {
        q->calls[calls] = (struct call) { q, first };
        is_sent = make_call(q, asker, &q->calls[calls]);
        if (!is_sent)
            settle_lost(q, &q->calls[calls], now_us);
        calls++;
    }
    for (unsigned i = 0; i < q->matter.count; i++) {
        if (!q->asks[i].shadow || !q->asks[i].is_asked)
            continue;
        q->calls[calls] = (struct call) { q, i };
        is_sent = is_sent && make_call(q, asker, &q->calls[calls]);
        if (!is_sent)
            settle_lost(q, &q->calls[calls], now_us);
        calls++;
    }
}

static struct gw_limit_question *question_of(struct gw_limiter *limiter, const struct gw_asks *asks, uint64_t now_us)
{
    size_t ask_bytes = asks->count * sizeof asks->asks[0];
    struct gw_limit_question *question = malloc(sizeof *question + ask_bytes);
    if (!question)
        return NULL;
    *question = (struct gw_limit_question) { .sent_us = now_us };
    memcpy(question->policies, asks->policies, sizeof question->policies);
    memcpy(question->asks, asks->asks, ask_bytes);
    question->matter = (struct matter) { limiter,        asks->count,     question->policies,
                                         question->asks, question->fates, false };
    return question;
}

static void give_back(struct gw_limiter *limiter, const struct gw_asks *asks, uint64_t now_us)
{
    for (unsigned i = 0; i < asks->count; i++)
        if (asks->asks[i].is_asked)
            gw_clients_settle(limiter->clients, &asks->asks[i],
                              &(struct gw_client_settlement) { .news = GW_CLIENT_LOST }, now_us);
}

static void name_instances(struct gw_asks *asks, const struct gw_limit_asker *asker)
{
    unsigned instances = asker->instances ? asker->instances(asker->context) : 1;
    for (unsigned i = 0; i < asks->count; i++)
        asks->asks[i].instances = (uint16_t)(instances < GW_CLIENT_INSTANCES ? instances : GW_CLIENT_INSTANCES);
}

/* Is a bucket left that only the store can speak for? */
static bool has_asked(const struct gw_asks *asks)
{
    for (unsigned i = 0; i < asks->count; i++)
        if (asks->asks[i].is_asked)
            return true;
    return false;
}

/* Costs are reserved. False: decided after all. */
static bool put(struct gw_limit_asker *asker, struct gw_asks *asks, uint64_t now_us, struct gw_limit_decision *decision,
                struct gw_limit_question **question)
{
    *question = question_of(asker->limiter, asks, now_us);
    if (!*question) {
        give_back(asker->limiter, asks, now_us);
        decide_alone(asker->limiter, asks, now_us, decision);
        return false;
    }
    send_all(*question, asker, now_us);
    if ((*question)->pending)
        return true;
    decide(&(*question)->matter, now_us, decision);
    free(*question);
    *question = NULL;
    return false;
}

bool gw_limit_ask(struct gw_limit_asker *asker, const struct gw_limit_subject *subject, bool misses, uint64_t now_us,
                  struct gw_limit_decision *decision, struct gw_limit_question **question, gw_limit_done *done,
                  void *owner)
{
    struct gw_asks asks;
    *question = NULL;
    if (!asker->store) {
        gw_limiter_decide(asker->limiter, asker->config, subject, misses, now_us, decision);
        return true;
    }
    gw_asks_collect(&asks, asker->limiter, asker->config, subject, misses,
                    GW_LIMIT_POLICIES_PER_REQUEST - decision->count);
    if (!asks.count)
        return true;
    name_instances(&asks, asker);
    if (!gw_store_is_up(asker->store)) {
        decide_alone(asker->limiter, &asks, now_us, decision);
        return true;
    }
    bool may_pass = gw_clients_reserve(asker->limiter->clients, asks.asks, asks.count, now_us);
    if (!may_pass || !has_asked(&asks)) {
        gw_asks_tell(asks.policies, asks.asks, asks.count, decision);
        gw_asks_judge(decision, may_pass);
        return true;
    }
    if (!put(asker, &asks, now_us, decision, question))
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
    decide(&question->matter, now_us, question->decision);
    question->decision = NULL;
    question->was_given_up = true;
}

void gw_limit_forget(struct gw_limit_question **taken)
{
    if (*taken)
        (*taken)->decision = NULL;
    *taken = NULL;
}
