#include "base/free_list.h"

#include <stdlib.h>
#include "base/check.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum { FREE_MAGIC = 0x46524545, TAKEN_MAGIC = 0x544b454e };

struct gw_free_link { /* before each object, which is aligned for any type */
    _Alignas(max_align_t) struct gw_free_link *next;
    struct gw_magic magic;
};

static struct gw_free_link *link_of(void *object)
{
    struct gw_free_link *link = (struct gw_free_link *)object - 1;
    GW_CHECK_MAGIC(link, TAKEN_MAGIC);
    return link;
}

void gw_free_list_init(struct gw_free_list *list, size_t size, unsigned most, void (*destroy)(void *object))
{
    *list = (struct gw_free_list) { .size = size, .most = most, .destroy = destroy };
}

/* Takes the first kept object; there must be one. */
static void *pop(struct gw_free_list *list)
{
    struct gw_free_link *link = list->first;
    GW_CHECK_MAGIC(link, FREE_MAGIC);
    list->first = link->next;
    list->count--;
    link->magic = GW_MAGIC(TAKEN_MAGIC);
    ASAN_UNPOISON_MEMORY_REGION(link + 1, list->size);
    return link + 1;
}

void *gw_free_list_take(struct gw_free_list *list, bool *is_new)
{
    if (is_new)
        *is_new = !list->first;
    if (list->first)
        return pop(list);
    struct gw_free_link *link = malloc(sizeof *link + list->size);
    if (!link)
        return NULL;
    link->magic = GW_MAGIC(TAKEN_MAGIC);
    return link + 1;
}

void gw_free_list_give(struct gw_free_list *list, void *object)
{
    if (list->count >= list->most) {
        gw_free_list_drop(list, object);
        return;
    }
    struct gw_free_link *link = link_of(object);
    link->magic = GW_MAGIC(FREE_MAGIC);
    link->next = list->first;
    list->first = link;
    list->count++;
    ASAN_POISON_MEMORY_REGION(object, list->size);
}

void gw_free_list_drop(struct gw_free_list *list, void *object)
{
    if (list->destroy)
        list->destroy(object);
    free(link_of(object));
}

void gw_free_list_trim(struct gw_free_list *list, unsigned most)
{
    while (list->count > most)
        gw_free_list_drop(list, pop(list));
}
