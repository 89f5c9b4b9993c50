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

void gw_free_list_init(struct gw_free_list *list, size_t size, unsigned most, void (*destroy)(void *object))
{
    *list = (struct gw_free_list) { .size = size, .most = most, .destroy = destroy };
}

void *gw_free_list_take(struct gw_free_list *list, bool *is_new)
{
    struct gw_free_link *link = list->first;
    if (is_new)
        *is_new = !link;
    if (link) {
        GW_CHECK_MAGIC(link, FREE_MAGIC);
        list->first = link->next;
        list->count--;
        ASAN_UNPOISON_MEMORY_REGION(link + 1, list->size);
    } else {
        link = malloc(sizeof *link + list->size);
        if (!link)
            return NULL;
    }
    link->magic = GW_MAGIC(TAKEN_MAGIC);
    return link + 1;
}

void gw_free_list_give(struct gw_free_list *list, void *object)
{
    struct gw_free_link *link = (struct gw_free_link *)object - 1;
    GW_CHECK_MAGIC(link, TAKEN_MAGIC);
    if (list->count >= list->most) {
        gw_free_list_drop(list, object);
        return;
    }
    link->magic = GW_MAGIC(FREE_MAGIC);
    link->next = list->first;
    list->first = link;
    list->count++;
    ASAN_POISON_MEMORY_REGION(object, list->size);
}

void gw_free_list_drop(struct gw_free_list *list, void *object)
{
    struct gw_free_link *link = (struct gw_free_link *)object - 1;
    GW_CHECK_MAGIC(link, TAKEN_MAGIC);
    if (list->destroy)
        list->destroy(object);
    free(link);
}

void gw_free_list_trim(struct gw_free_list *list, unsigned most)
{
    while (list->count > most)
        gw_free_list_drop(list, gw_free_list_take(list, NULL));
}
