/* What is said first on a new connection, all of it in one write. */
#include "store/wire.h"
#include "store/resp.h"

enum { LOGIN_BYTES = 128 * 1024 };
enum step { STEP_AUTH, STEP_SELECT, STEP_NAME, STEP_LOAD };

static bool put_step(struct gw_link *link, enum step step, struct gw_buffer *command)
{
    bool good = !command->overflowed && gw_link_put(link, &link->login, gw_buffer_slice(command), GW_NO_SLICE);
    link->steps[link->step_count++] = (unsigned char)step;
    command->length = 0;
    return good;
}

static bool put_account(struct gw_link *link, struct gw_buffer *command)
{
    const struct gw_redis_node *node = link->setup.node;
    if (node->password.length) {
        gw_resp_begin(command, node->user.length ? 3 : 2);
        gw_resp_put(command, GW_SLICE("AUTH"));
        if (node->user.length)
            gw_resp_put(command, node->user);
        gw_resp_put(command, node->password);
        if (!put_step(link, STEP_AUTH, command))
            return false;
    }
    if (!node->database)
        return true;
    gw_resp_begin(command, 2);
    gw_resp_put(command, GW_SLICE("SELECT"));
    gw_resp_put_uint(command, node->database);
    return put_step(link, STEP_SELECT, command);
}

static bool put_steps(struct gw_link *link, struct gw_buffer *command)
{
    if (!put_account(link, command))
        return false;
    gw_resp_begin(command, 3);
    gw_resp_put(command, GW_SLICE("CLIENT"));
    gw_resp_put(command, GW_SLICE("SETNAME"));
    gw_resp_put(command, gw_slice_of_string(link->setup.client_name));
    if (!put_step(link, STEP_NAME, command))
        return false;
    for (unsigned i = 0; link->setup.scripts && i < GW_STORE_SCRIPTS; i++) {
        gw_resp_begin(command, 3);
        gw_resp_put(command, GW_SLICE("SCRIPT"));
        gw_resp_put(command, GW_SLICE("LOAD"));
        gw_resp_put(command, link->setup.scripts->list[i].text);
        if (!put_step(link, STEP_LOAD, command))
            return false;
    }
    return true;
}

/* A name is for people who read CLIENT LIST: a user without CLIENT may do without. */
static bool is_forgiven(enum step step, struct gw_slice text)
{
    return step == STEP_NAME && (gw_slice_starts_with(text, GW_SLICE("NOPERM ")) ||
                                 gw_slice_starts_with(text, GW_SLICE("ERR unknown command")));
}

static void on_step(struct gw_link_asked *asked, const struct gw_reply *reply)
{
    struct gw_link *link = asked->link;
    if (!reply)
        return;
    enum step step = link->steps[link->steps_done++];
    bool is_text = reply->kind == GW_REPLY_STATUS || reply->kind == GW_REPLY_STRING;
    if (reply->kind == GW_REPLY_ERROR && !is_forgiven(step, gw_reply_text(reply))) {
        enum gw_breaker_reason reason = step == STEP_AUTH ? GW_BREAKER_AUTH : GW_BREAKER_REFUSED;
        (void)gw_reply_fault(gw_reply_text(reply), &reason);
        gw_link_say(link, gw_reply_text(reply));
        gw_link_drop(link, reason);
    } else if (reply->kind != GW_REPLY_ERROR && !is_text) {
        gw_link_drop(link, GW_BREAKER_NONSENSE);
    } else if (link->steps_done == link->step_count) {
        gw_link_logged_in(link);
    }
}

bool gw_login_begin(struct gw_link *link)
{
    struct gw_buffer command = gw_buffer_create(LOGIN_BYTES);
    link->login = (struct gw_link_asked) { .on_reply = on_step, .link = link };
    link->step_count = link->steps_done = 0;
    bool good = put_steps(link, &command);
    gw_buffer_destroy(&command);
    return good;
}
