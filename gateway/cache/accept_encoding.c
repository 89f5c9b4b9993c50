#include "cache/accept_encoding.h"

/* The known ones stand in the order in which they are written. */
enum coding { GZIP, DEFLATE, BR, ZSTD, KNOWN, IDENTITY = KNOWN, ANY, CODINGS };

static const struct {
    struct gw_slice name;
    enum coding coding;
} names[] = {
    { { "gzip", 4 }, GZIP },   { { "deflate", 7 }, DEFLATE },   { { "br", 2 }, BR }, { { "zstd", 4 }, ZSTD },
    { { "x-gzip", 6 }, GZIP }, { { "identity", 8 }, IDENTITY }, { { "*", 1 }, ANY },
};

enum { UNSAID = -1, REFUSED = 0, WHOLE = 1000 };

struct wish {
    int weights[CODINGS]; /* thousandths; or UNSAID */
};

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), RFC 9110 §12.4.2. Anything else refuses. */
static int accept_encoding_read_weight(struct gw_slice parameter)
{
    int weight = 0, scale = WHOLE;
    if (parameter.length < 3 || parameter.length > 7 || (parameter.at[0] != 'q' && parameter.at[0] != 'Q') ||
        parameter.at[1] != '=' || (parameter.length > 3 && parameter.at[3] != '.'))
        return REFUSED;
    for (size_t i = 2; i < parameter.length; i++) {
        if (i == 3)
            continue;
        if (parameter.at[i] < '0' || parameter.at[i] > '9')
            return REFUSED;
        weight += (parameter.at[i] - '0') * scale;
        scale /= 10;
    }
    return weight <= WHOLE ? weight : REFUSED;
}

/* If a coding is named twice, the lesser weight counts: what one of the two refuses is not sent. */
static void accept_encoding_read_member(struct wish *wish, struct gw_slice member)
{
    const char *semicolon = memchr(member.at, ';', member.length);
    size_t length = semicolon ? (size_t)(semicolon - member.at) : member.length;
    struct gw_slice name = gw_slice_trim(gw_slice_of(member.at, length));
    int weight = WHOLE;
    if (semicolon)
        weight = accept_encoding_read_weight(gw_slice_trim(gw_slice_of(semicolon + 1, member.length - length - 1)));
    for (size_t i = 0; i < GW_COUNT(names); i++) {
        int *said = &wish->weights[names[i].coding];
        if (gw_slice_equal_nocase(names[i].name, name) && (*said == UNSAID || weight < *said))
            *said = weight;
    }
}

static struct wish accept_encoding_read_wish(const struct gw_head *request, const struct gw_field *line)
{
    struct wish wish;
    for (unsigned i = 0; i < CODINGS; i++)
        wish.weights[i] = UNSAID;
    for (; line; line = gw_head_find_next(request, line)) {
        struct gw_slice rest = line->value, member;
        while (gw_slice_next_element(&rest, &member))
            accept_encoding_read_member(&wish, member);
    }
    return wish;
}

/* Only what is accepted, and no worse than no coding at all. */
static void accept_encoding_settle(struct wish *wish)
{
    int identity = wish->weights[IDENTITY];
    for (unsigned i = 0; i < KNOWN; i++) {
        int *weight = &wish->weights[i];
        if (*weight == UNSAID)
            *weight = wish->weights[ANY];
        if (*weight < identity)
            *weight = REFUSED;
    }
}

static int accept_encoding_heaviest(const struct wish *wish)
{
    int most = REFUSED;
    for (unsigned i = 0; i < KNOWN; i++)
        if (wish->weights[i] > most)
            most = wish->weights[i];
    return most;
}

static void accept_encoding_put_wish(struct wish *wish, struct gw_buffer *text)
{
    accept_encoding_settle(wish);
    for (int rank = 0, weight; (weight = accept_encoding_heaviest(wish)) > REFUSED; rank++)
        for (unsigned i = 0; i < KNOWN; i++) {
            if (wish->weights[i] != weight)
                continue;
            wish->weights[i] = REFUSED;
            if (text->length)
                gw_buffer_put_literal(text, ", ");
            gw_buffer_put_slice(text, names[i].name);
            if (rank) {
                gw_buffer_put_literal(text, ";q=0.");
                gw_buffer_put_uint(text, (uint64_t)(10 - rank));
            }
        }
    if (!text->length)
        gw_buffer_put_literal(text, "identity");
}

/* A few spellings are nearly all that clients send. */
enum { SPELLINGS = 8, SPELLING_BYTES = 64 };

struct spelling {
    uint8_t value_length, normal_length; /* normal_length 0: none yet */
    char value[SPELLING_BYTES], normal[GW_ACCEPT_ENCODING_BYTES];
};

static struct gw_slice accept_encoding_normal_of(const struct gw_head *request, const struct gw_field *line,
                                                 struct spelling *spelling)
{
    struct wish wish = accept_encoding_read_wish(request, line);
    struct gw_buffer text = gw_buffer_over(spelling->normal, sizeof spelling->normal);
    accept_encoding_put_wish(&wish, &text);
    spelling->normal_length = (uint8_t)text.length;
    return gw_buffer_slice(&text);
}

static struct gw_slice accept_encoding_remembered_normal_of(const struct gw_head *request, const struct gw_field *line,
                                                            bool is_only)
{
    static _Thread_local struct spelling spellings[SPELLINGS], other;
    struct spelling *spelling = &spellings[line->value.length % SPELLINGS];
    if (line->value.length > SPELLING_BYTES || !is_only)
        return accept_encoding_normal_of(request, line, &other);
    if (spelling->normal_length && gw_slice_equal(gw_slice_of(spelling->value, spelling->value_length), line->value))
        return gw_slice_of(spelling->normal, spelling->normal_length);
    if (line->value.length)
        memcpy(spelling->value, line->value.at, line->value.length);
    spelling->value_length = (uint8_t)line->value.length;
    return accept_encoding_normal_of(request, line, spelling);
}

void gw_accept_encoding_put_normal(struct gw_head *request, struct gw_arena *arena)
{
    struct gw_field *line = gw_head_find(request, GW_FIELD_ACCEPT_ENCODING);
    if (!line)
        return;
    struct gw_field *further = gw_head_find_next(request, line);
    struct gw_slice normal = accept_encoding_remembered_normal_of(request, line, !further);
    for (; further; further = gw_head_find_next(request, further))
        further->dropped = true;
    if (gw_slice_equal(line->value, normal))
        return;
    line->value = gw_arena_copy(arena, normal);
    line->dropped = line->value.at == NULL;
}
