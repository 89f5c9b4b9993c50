/* list.h: a doubly linked ring. A link is a member of the struct that is in the list. */
#ifndef GW_BASE_LIST_H
#define GW_BASE_LIST_H

#include <stdbool.h>
#include "base/base.h"

struct gw_list {
    struct gw_list *next, *previous;
};

static inline void gw_list_init(struct gw_list *list)
{
    list->next = list->previous = list;
}

static inline bool gw_list_is_empty(const struct gw_list *list)
{
    return list->next == list;
}

static inline void gw_list_insert_before(struct gw_list *at, struct gw_list *link)
{
    link->previous = at->previous;
    link->next = at;
    at->previous->next = link;
    at->previous = link;
}

/* The ring's head is both its beginning and its end. */
#define gw_list_push_back(list, link)  gw_list_insert_before((list), (link))
#define gw_list_push_front(list, link) gw_list_insert_before((list)->next, (link))

/* The link becomes a ring of its own, so that removing it a second time has no effect. */
static inline void gw_list_remove(struct gw_list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    gw_list_init(link);
}

#define gw_list_each(link, list) for (struct gw_list *link = (list)->next; link != (list); link = link->next)
/* The loop's body may remove `link`. */
#define gw_list_each_safe(link, list)                                                                                  \
    for (struct gw_list *link = (list)->next, *link##_next = link->next; link != (list);                               \
         link = link##_next, link##_next = link->next)

#endif
