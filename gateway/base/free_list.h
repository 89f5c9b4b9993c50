/* free_list.h: for objects of one size that are made often. An object that is given back is kept, up to a bound, and is
 * taken again before the heap is asked.
 *
 * Shape    Last in, first out, since the last object is likely to be in the processor's cache. The list's link lies
 *          before each object. The list writes nothing into the object itself, so parts that are costly to make (an
 *          arena, a handle) stay in the object from one use to the next.
 * Checks   With GW_CHECKS, giving an object back twice ends the process. Under ASan, reading or writing a free object
 *          does, too.
 * Threads  A list belongs to one thread. */
#ifndef GW_BASE_FREE_LIST_H
#define GW_BASE_FREE_LIST_H

#include <stdbool.h>
#include "base/base.h"

struct gw_free_link;

struct gw_free_list {
    size_t size;                   /* of an object */
    unsigned most;                 /* objects that are kept */
    void (*destroy)(void *object); /* frees what the object holds, not the object; NULL: it holds nothing */

    struct gw_free_link *first;
    unsigned count;
};

/* most: the most objects that are kept; UINT_MAX: only gw_free_list_trim bounds them. */
void gw_free_list_init(struct gw_free_list *list, size_t size, unsigned most, void (*destroy)(void *object));
/* An object; NULL when memory is out. *is_new: the object comes from malloc, and nothing in it is set; otherwise it is
 * as it was given back. is_new may be NULL. */
void *gw_free_list_take(struct gw_free_list *list, bool *is_new) GW_MUST_CHECK;
/* Takes the object. Where `most` objects are kept already, the object is destroyed and freed. */
void gw_free_list_give(struct gw_free_list *list, void *object);
/* Takes the object, destroys it and frees it. */
void gw_free_list_drop(struct gw_free_list *list, void *object);
/* Destroys and frees kept objects until at most `most` are left. */
void gw_free_list_trim(struct gw_free_list *list, unsigned most);

#endif
