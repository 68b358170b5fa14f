// SPDX-License-Identifier: Apache-2.0
/* A set of strings that only grows: open addressing, at most half full. */
#include <stdlib.h>
#include <string.h>

#include "agent.h"

#define TEXTS_FIRST 1024

static size_t hash(const char *text)
{
	uint64_t value = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3ULL;
	return value;
}

static size_t place(const struct texts *set, const char *text)
{
	size_t slot = hash(text) & (set->capacity - 1);

	while (set->slots[slot] && strcmp(set->slots[slot], text) != 0)
		slot = (slot + 1) & (set->capacity - 1);
	return slot;
}

static bool grow(struct texts *set)
{
	size_t capacity = set->capacity ? set->capacity * 2 : TEXTS_FIRST;
	struct texts bigger = { calloc(capacity, sizeof(char *)), capacity, set->count };

	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < set->capacity; i++)
		if (set->slots[i])
			bigger.slots[place(&bigger, set->slots[i])] = set->slots[i];
	free(set->slots);
	*set = bigger;
	return true;
}

bool texts_has(const struct texts *set, const char *text)
{
	return set->capacity && set->slots[place(set, text)];
}

bool texts_add(struct texts *set, const char *text)
{
	size_t slot;

	if (texts_has(set, text))
		return false;
	if (2 * set->count >= set->capacity && !grow(set))
		return true;
	slot = place(set, text);
	set->slots[slot] = strdup(text);
	set->count += set->slots[slot] != NULL;
	return true;
}
