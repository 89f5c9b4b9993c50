/* free_list.h: objects of one size that are made again and again: what is given back is kept, up to a bound, and is
 * taken again before memory is asked for.
 *
 * Shape    Last in, first out, since that one is likely to be in the processor's cache. The list's own link lies
 *          before each object: nothing of the object is written to, and what is costly to make (an arena, a handle)
 *          stays in it from one use to the next.
 * Checks   With GW_CHECKS, giving back twice ends the process. Under ASan, so does looking at an object that is free,
 *          where nothing in it is kept (destroy is NULL).
 * Threads  One. */
#ifndef GW_BASE_FREE_LIST_H
#define GW_BASE_FREE_LIST_H

#include <stdbool.h>
#include "base/base.h"

struct gw_free_link;

struct gw_free_list {
    size_t size; /* of an object */
    unsigned most;
    void (*destroy)(void *object); /* what is in it, not its own memory; NULL: nothing to do */

    struct gw_free_link *first;
    unsigned count;
};

/* most: so many are kept at most; UINT_MAX where only gw_free_list_trim bounds them. */
void gw_free_list_init(struct gw_free_list *list, size_t size, unsigned most, void (*destroy)(void *object));
/* NULL when memory is out. *is_new (is_new may be NULL): it comes from malloc, and nothing in it is set; else it is as
 * it was given back. */
void *gw_free_list_take(struct gw_free_list *list, bool *is_new) GW_MUST_CHECK;
/* Takes the object. One too many is destroyed. */
void gw_free_list_give(struct gw_free_list *list, void *object);
/* Takes an object that is not to be used again, and destroys it. */
void gw_free_list_drop(struct gw_free_list *list, void *object);
/* Destroys what is kept over this number. */
void gw_free_list_trim(struct gw_free_list *list, unsigned most);

#endif
