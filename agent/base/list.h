/* A doubly linked list of members that live inside their owners. The head is a member too; an empty
 * list points at itself. Nothing here allocates. */
#ifndef LEAT_BASE_LIST_H
#define LEAT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct leat_link {
    struct leat_link *next, *prev;
};

/* The struct of type T whose member `m` is at `p`. */
#define LEAT_OWNER(p, T, m) ((T *)(void *)((char *)(p)-offsetof(T, m)))

static inline void leat_list_init(struct leat_link *head)
{
    head->next = head->prev = head;
}

static inline bool leat_list_empty(const struct leat_link *head)
{
    return head->next == head;
}

static inline void leat_list_append(struct leat_link *head, struct leat_link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void leat_list_prepend(struct leat_link *head, struct leat_link *l)
{
    leat_list_append(head->next, l);
}

/* Takes `l` out of the list it is in; afterwards it is a list of its own, so removing it twice is
 * harmless. */
static inline void leat_list_remove(struct leat_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    leat_list_init(l);
}

/* Takes out and returns the first member, or NULL. */
static inline struct leat_link *leat_list_pop(struct leat_link *head)
{
    struct leat_link *first = head->next;

    if (first == head)
        return NULL;
    leat_list_remove(first);
    return first;
}

#endif
