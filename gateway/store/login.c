/* The log-in: the commands that a new connection sends first, all in one write. */
#include "store/wire.h"
#include "store/node.h"
#include "store/resp.h"

enum { LOGIN_BYTES = 128 * 1024, STEP_LOAD = GW_NODE_NAME + 1 };

static bool login_put_step(struct gw_link *link, unsigned step, struct gw_slice command)
{
    link->steps[link->step_count++] = (unsigned char)step;
    return gw_link_put(link, &link->login, command, GW_NO_SLICE);
}

static bool login_put_node_step(void *owner, enum gw_node_step step, struct gw_slice command)
{
    return login_put_step(owner, step, command);
}

static bool login_put_scripts(struct gw_link *link)
{
    struct gw_buffer command = gw_buffer_create(LOGIN_BYTES);
    bool is_good = true;
    for (unsigned i = 0; link->setup.scripts && is_good && i < GW_STORE_SCRIPTS; i++) {
        command.length = 0;
        gw_resp_begin(&command, 3);
        gw_resp_put(&command, GW_SLICE("SCRIPT"));
        gw_resp_put(&command, GW_SLICE("LOAD"));
        gw_resp_put(&command, link->setup.scripts->list[i].text);
        is_good = !command.overflowed && login_put_step(link, STEP_LOAD, gw_buffer_slice(&command));
    }
    gw_buffer_destroy(&command);
    return is_good;
}

/* The name is for people who read CLIENT LIST, so a user without permission for CLIENT may log in without it. */
static bool login_is_forgiven(unsigned step, struct gw_slice text)
{
    return step == GW_NODE_NAME && gw_node_is_denied(text);
}

static void login_on_step(struct gw_link_asked *asked, const struct gw_reply *reply)
{
    struct gw_link *link = asked->link;
    if (!reply)
        return;
    unsigned step = link->steps[link->steps_done++];
    bool is_text = reply->kind == GW_REPLY_STATUS || reply->kind == GW_REPLY_STRING;
    if (reply->kind == GW_REPLY_ERROR && !login_is_forgiven(step, gw_reply_text(reply))) {
        enum gw_breaker_reason reason = step == GW_NODE_AUTH ? GW_BREAKER_AUTH : GW_BREAKER_REFUSED;
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
    link->login = (struct gw_link_asked) { .on_reply = login_on_step, .link = link };
    link->step_count = link->steps_done = 0;
    return gw_node_log_in(link->setup.node, gw_slice_of_string(link->setup.client_name), login_put_node_step, link) &&
           login_put_scripts(link);
}
