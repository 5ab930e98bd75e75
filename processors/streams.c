/* What stages that compute with metrics remember of each stream.
 *
 * Streams lie in pages that never move; an index of their places, with linear probing, finds them
 * by their print. So growing copies the index only, eight bytes for each. */
#include "processors/streams.h"

#include <string.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/meter.h"
#include "io/loop.h"

#define PAGE_STREAMS 1024u
#define FIRST_SLOTS  64u
#define MOST_STREAMS (1u << 30)
#define SWEEP_PAGES  64u /* looked at in one turn of the loop */
#define SWEEP_FIRST  LEAT_SEC
#define SWEEP_LAST   (60 * LEAT_SEC)
#define NOWHERE      UINT16_MAX

struct slot {
    uint32_t tag;   /* low bits of the print, where the search for it begins */
    uint32_t place; /* 1 + number of the stream; 0: free */
};

/* Before a histogram's numbers: what is charged for them. */
struct block {
    size_t size;
    uint64_t numbers[];
};

struct page {
    uint16_t used;   /* streams in it */
    uint16_t made;   /* places below this one have been used once */
    uint16_t vacant; /* first of a chain of those that are free again, by their `seen`; NOWHERE */
    struct leat_stream streams[PAGE_STREAMS];
};

struct leat_streams {
    uint32_t max, count;
    struct slot *slots;
    uint32_t nslots;     /* a power of two */
    struct page **pages; /* NULL: given back */
    uint32_t npages, cap;
    uint32_t roomy; /* pages below this one are full */
    size_t bytes, most_bytes;
    struct leat_budget *budget;
    struct leat_gauge *tracked;
    int64_t begun;
    uint32_t max_stale; /* seconds; 0: never */
    uint32_t swept;     /* the sweep has come to this page */
    struct leat_timer *timer;
    int64_t pause; /* between sweeps */
};

/* --- memory */

static enum leat_streams_answer charge(struct leat_streams *s, size_t bytes)
{
    if (bytes > s->most_bytes - s->bytes)
        return LEAT_STREAMS_FULL;
    if (!leat_budget_take(s->budget, bytes))
        return LEAT_STREAMS_NO_MEMORY;
    s->bytes += bytes;
    return LEAT_STREAMS_YES;
}

static void discharge(struct leat_streams *s, size_t bytes)
{
    s->bytes -= bytes;
    leat_budget_give(s->budget, bytes);
}

enum leat_streams_answer leat_streams_block(struct leat_streams *s, void *old, size_t size,
                                            void **ret)
{
    struct block *b = old ? LEAT_OWNER(old, struct block, numbers) : NULL;
    size_t had = b ? b->size : 0, want = sizeof *b + size;
    enum leat_streams_answer answer = LEAT_STREAMS_YES;

    if (want > had)
        answer = charge(s, want - had);
    if (answer != LEAT_STREAMS_YES)
        return answer;
    b = leat_try_resize(b, want);
    if (b == NULL) {
        if (want > had)
            discharge(s, want - had);
        return LEAT_STREAMS_NO_MEMORY;
    }
    if (want < had)
        discharge(s, had - want);
    b->size = want;
    *ret = b->numbers;
    return LEAT_STREAMS_YES;
}

void leat_streams_drop_block(struct leat_streams *s, void *numbers)
{
    struct block *b = LEAT_OWNER(numbers, struct block, numbers);

    discharge(s, b->size);
    leat_free(b);
}

static struct leat_stream *at(const struct leat_streams *s, uint32_t number)
{
    return &s->pages[number / PAGE_STREAMS]->streams[number % PAGE_STREAMS];
}

/* --- the index */

static struct slot *slot_of(const struct leat_streams *s, struct leat_print id)
{
    uint32_t tag = (uint32_t)id.lo;

    for (uint32_t i = tag & (s->nslots - 1);; i = (i + 1) & (s->nslots - 1)) {
        struct slot *slot = &s->slots[i];
        if (slot->place == 0 || (slot->tag == tag && leat_print_is(at(s, slot->place - 1)->id, id)))
            return slot;
    }
}

static void put_slot(struct slot *slots, uint32_t nslots, struct slot what)
{
    uint32_t i = what.tag & (nslots - 1);

    while (slots[i].place != 0)
        i = (i + 1) & (nslots - 1);
    slots[i] = what;
}

static enum leat_streams_answer make_index(struct leat_streams *s, uint32_t n)
{
    enum leat_streams_answer answer = charge(s, n * sizeof(struct slot));
    struct slot *slots;

    if (answer != LEAT_STREAMS_YES)
        return answer;
    slots = leat_try_table(n * sizeof *slots);
    if (slots == NULL) {
        discharge(s, n * sizeof *slots);
        return LEAT_STREAMS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < s->nslots; i++) {
        if (s->slots[i].place != 0)
            put_slot(slots, n, s->slots[i]);
    }
    leat_free_table(s->slots, s->nslots * sizeof *slots);
    discharge(s, s->nslots * sizeof *slots);
    s->slots = slots;
    s->nslots = n;
    return LEAT_STREAMS_YES;
}

/* Seven eighths of the slots may be taken. */
static enum leat_streams_answer grow_index(struct leat_streams *s)
{
    if (s->count < s->nslots / 8 * 7)
        return LEAT_STREAMS_YES;
    return make_index(s, s->nslots ? s->nslots * 2 : FIRST_SLOTS);
}

/* When an eighth is left of what there was; all of it with the last stream. */
static void shrink_index(struct leat_streams *s)
{
    uint32_t n = s->nslots;

    if (s->count == 0) {
        leat_free_table(s->slots, s->nslots * sizeof *s->slots);
        discharge(s, s->nslots * sizeof(struct slot));
        s->slots = NULL;
        s->nslots = 0;
        return;
    }
    while (n > FIRST_SLOTS && s->count < n / 8)
        n /= 2;
    if (n < s->nslots)
        make_index(s, n); /* without memory it stays as it is */
}

/* Moves back what stands behind a freed slot and would not be found any more (Knuth, The Art of
 * Computer Programming, 6.4, algorithm R). */
static void free_slot(struct leat_streams *s, struct slot *slot)
{
    uint32_t mask = s->nslots - 1, hole = (uint32_t)(slot - s->slots), i = hole;

    for (;;) {
        s->slots[hole].place = 0;
        do {
            i = (i + 1) & mask;
            if (s->slots[i].place == 0)
                return;
            /* It stays if the search for it begins behind the hole. */
        } while (((i - s->slots[i].tag) & mask) < ((i - hole) & mask));
        s->slots[hole] = s->slots[i];
        hole = i;
    }
}

/* --- streams */

static uint32_t now(const struct leat_streams *s)
{
    return (uint32_t)((leat_clock_mono() - s->begun) / LEAT_SEC);
}

struct leat_stream *leat_streams_find(struct leat_streams *s, struct leat_print id)
{
    struct leat_stream *stream;
    struct slot *slot;

    if (s->nslots == 0)
        return NULL;
    slot = slot_of(s, id);
    if (slot->place == 0)
        return NULL;
    stream = at(s, slot->place - 1);
    stream->seen = now(s);
    return stream;
}

/* Makes the page with this number: the next one, or one that was given back. */
static enum leat_streams_answer add_page(struct leat_streams *s, uint32_t number)
{
    enum leat_streams_answer answer = charge(s, sizeof(struct page));
    struct page **pages = s->pages, *page;

    if (answer != LEAT_STREAMS_YES)
        return answer;
    page = leat_try(sizeof *page);
    if (page != NULL && number == s->cap) {
        pages = leat_try_resize(pages, (s->cap * 2 + 16) * sizeof(struct page *));
        if (pages != NULL) {
            s->pages = pages;
            s->cap = s->cap * 2 + 16;
        }
    }
    if (page == NULL || pages == NULL) {
        leat_free(page);
        discharge(s, sizeof *page);
        return LEAT_STREAMS_NO_MEMORY;
    }
    page->used = page->made = 0;
    page->vacant = NOWHERE;
    s->pages[number] = page;
    s->npages += number == s->npages;
    return LEAT_STREAMS_YES;
}

/* A number that no stream has. */
static enum leat_streams_answer new_number(struct leat_streams *s, uint32_t *ret)
{
    enum leat_streams_answer answer = LEAT_STREAMS_YES;
    struct page *page;
    uint32_t place;

    while (s->roomy < s->npages && s->pages[s->roomy] != NULL &&
           s->pages[s->roomy]->used == PAGE_STREAMS)
        s->roomy++;
    if (s->roomy == s->npages || s->pages[s->roomy] == NULL)
        answer = add_page(s, s->roomy);
    if (answer != LEAT_STREAMS_YES)
        return answer;
    page = s->pages[s->roomy];
    place = page->vacant;
    if (place == NOWHERE)
        place = page->made++;
    else
        page->vacant = (uint16_t)page->streams[place].seen;
    page->used++;
    *ret = s->roomy * PAGE_STREAMS + place;
    return answer;
}

static void free_number(struct leat_streams *s, uint32_t number)
{
    struct page *page = s->pages[number / PAGE_STREAMS];
    struct leat_stream *stream = &page->streams[number % PAGE_STREAMS];

    stream->kind = LEAT_STREAM_VACANT;
    stream->seen = page->vacant;
    page->vacant = (uint16_t)(number % PAGE_STREAMS);
    if (number / PAGE_STREAMS < s->roomy)
        s->roomy = number / PAGE_STREAMS;
    if (--page->used > 0)
        return;
    leat_free(page);
    discharge(s, sizeof *page);
    s->pages[number / PAGE_STREAMS] = NULL;
}

enum leat_streams_answer leat_streams_add(struct leat_streams *s, struct leat_print id,
                                          struct leat_stream **ret)
{
    enum leat_streams_answer answer;
    uint32_t number;

    if (s->count >= s->max)
        return LEAT_STREAMS_FULL;
    answer = grow_index(s);
    if (answer == LEAT_STREAMS_YES)
        answer = new_number(s, &number);
    if (answer != LEAT_STREAMS_YES)
        return answer;
    *ret = at(s, number);
    **ret = (struct leat_stream){.id = id, .seen = now(s), .kind = LEAT_STREAM_NEW};
    put_slot(s->slots, s->nslots, (struct slot){(uint32_t)id.lo, number + 1});
    s->count++;
    leat_gauge_set(s->tracked, s->count);
    return LEAT_STREAMS_YES;
}

static bool has_block(const struct leat_stream *stream)
{
    return (stream->kind == LEAT_STREAM_HISTOGRAM || stream->kind == LEAT_STREAM_EXPONENTIAL) &&
           stream->block != NULL;
}

void leat_streams_remove(struct leat_streams *s, struct leat_stream *stream)
{
    struct slot *slot = slot_of(s, stream->id);
    uint32_t number = slot->place - 1;

    free_slot(s, slot);
    if (has_block(stream))
        leat_streams_drop_block(s, stream->block);
    free_number(s, number);
    s->count--;
    leat_gauge_set(s->tracked, s->count);
    if (s->count == 0)
        shrink_index(s);
}

/* --- forgetting */

static void sweep_page(struct leat_streams *s, uint32_t number)
{
    uint32_t time = now(s), made = s->pages[number] ? s->pages[number]->made : 0;

    for (uint32_t i = 0; i < made && s->pages[number] != NULL; i++) {
        struct leat_stream *stream = &s->pages[number]->streams[i];
        if (stream->kind != LEAT_STREAM_VACANT && time - stream->seen > s->max_stale)
            leat_streams_remove(s, stream);
    }
}

/* Some pages in each turn of the loop, so that nobody waits for a long sweep. */
static void sweep(void *arg)
{
    struct leat_streams *s = arg;

    for (uint32_t i = 0; i < SWEEP_PAGES && s->swept < s->npages; i++)
        sweep_page(s, s->swept++);
    if (s->swept < s->npages) {
        leat_timer_start(s->timer, 0, 0);
        return;
    }
    s->swept = 0;
    shrink_index(s);
    leat_timer_start(s->timer, s->pause, 0);
}

/* --- life */

struct leat_streams *leat_streams_new(uint64_t max, int64_t max_stale, struct leat_budget *budget,
                                      struct leat_loop *loop, struct leat_gauge *tracked)
{
    struct leat_streams *s = leat_new(sizeof *s);

    s->max = max < MOST_STREAMS ? (uint32_t)max : MOST_STREAMS;
    s->budget = budget;
    s->tracked = tracked;
    s->most_bytes = budget->limit / 2;
    s->begun = leat_clock_mono();
    if (max_stale <= 0)
        return s;
    s->max_stale = (uint32_t)((max_stale + LEAT_SEC - 1) / LEAT_SEC);
    s->pause = max_stale / 8;
    s->pause = s->pause < SWEEP_FIRST ? SWEEP_FIRST : s->pause;
    s->pause = s->pause > SWEEP_LAST ? SWEEP_LAST : s->pause;
    s->timer = leat_timer_new(loop, sweep, s);
    leat_timer_background(s->timer);
    leat_timer_start(s->timer, s->pause, 0);
    return s;
}

void leat_streams_free(struct leat_streams *s)
{
    if (s == NULL)
        return;
    leat_timer_free(s->timer);
    for (uint32_t i = 0; i < s->nslots; i++) {
        if (s->slots[i].place != 0 && has_block(at(s, s->slots[i].place - 1)))
            leat_streams_drop_block(s, at(s, s->slots[i].place - 1)->block);
    }
    for (uint32_t i = 0; i < s->npages; i++)
        leat_free(s->pages[i]);
    leat_free(s->pages);
    leat_free_table(s->slots, s->nslots * sizeof *s->slots);
    leat_budget_give(s->budget, s->bytes);
    leat_free(s);
}

uint64_t leat_streams_count(const struct leat_streams *s)
{
    return s->count;
}

size_t leat_streams_bytes(const struct leat_streams *s)
{
    return s->bytes;
}
