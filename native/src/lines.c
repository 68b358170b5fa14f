// SPDX-License-Identifier: Apache-2.0
/* JSON lines to standard output.
 *
 * The reader may be slow; the kernel is not. Lines wait here, in memory that grows, so
 * that the ring in the kernel is emptied in time. Only past QUEUE_MAX are they counted
 * as lost instead. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

#define QUEUE_MAX ((size_t)512 << 20)
#define QUEUE_FIRST ((size_t)1 << 20)

static char *queue;
static size_t begin, end, capacity, line_begin;
static bool dropping, comma;
static unsigned long long lost;

static bool make_room(size_t more)
{
	size_t wanted = capacity ? capacity : QUEUE_FIRST;
	char *bigger;

	if (end + more <= capacity)
		return true;
	if (begin > 0) {
		memmove(queue, queue + begin, end - begin);
		end -= begin;
		line_begin -= begin;
		begin = 0;
	}
	while (wanted < end + more)
		wanted *= 2;
	if (wanted <= capacity)
		return true;
	bigger = wanted <= QUEUE_MAX ? realloc(queue, wanted) : NULL;
	if (!bigger)
		return false;
	queue = bigger;
	capacity = wanted;
	return true;
}

static void add(const char *bytes, size_t length)
{
	if (dropping)
		return;
	if (!make_room(length)) {
		dropping = true;
		return;
	}
	memcpy(queue + end, bytes, length);
	end += length;
}

/* The length of the UTF-8 sequence that starts here, 0 where there is none. */
static size_t sequence(const unsigned char *at, size_t left)
{
	size_t length = at[0] >= 0xf0 && at[0] < 0xf5 ? 4 :
			at[0] >= 0xe0		     ? 3 :
			at[0] >= 0xc2		     ? 2 :
							       0;

	if (!length || at[0] >= 0xf5 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

/* Bytes that are no UTF-8 become lone surrogates, as Python's os.fsdecode writes them. */
static void add_quoted(const char *text, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)text;
	char escape[8];

	add("\"", 1);
	for (size_t i = 0; i < length;) {
		size_t whole = bytes[i] < 0x80 ? 1 : sequence(bytes + i, length - i);

		if (whole && bytes[i] >= 0x20 && bytes[i] != '"' && bytes[i] != '\\') {
			add(text + i, whole);
			i += whole;
			continue;
		}
		snprintf(escape, sizeof(escape), "\\u%04x",
			 bytes[i] < 0x80 ? bytes[i] : 0xdc00u + bytes[i]);
		add(escape, 6);
		i++;
	}
	add("\"", 1);
}

static void add_key(const char *key)
{
	if (comma)
		add(",", 1);
	comma = true;
	if (key) {
		add_quoted(key, strlen(key));
		add(":", 1);
	}
}

void line_start(const char *event)
{
	line_begin = end;
	dropping = comma = false;
	add("{", 1);
	line_text("event", event);
}

void line_bytes(const char *key, const char *value, size_t length)
{
	add_key(key);
	add_quoted(value, length);
}

void line_text(const char *key, const char *value)
{
	line_bytes(key, value, strlen(value));
}

static void add_formatted(const char *key, const char *text)
{
	add_key(key);
	add(text, strlen(text));
}

void line_number(const char *key, long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", value);
	add_formatted(key, text);
}

void line_fraction(const char *key, double value)
{
	char text[48];

	snprintf(text, sizeof(text), "%.6f", value);
	add_formatted(key, text);
}

void line_truth(const char *key, bool value)
{
	add_formatted(key, value ? "true" : "false");
}

static void open_nested(const char *key, const char *bracket)
{
	add_key(key);
	add(bracket, 1);
	comma = false;
}

static void close_nested(const char *bracket)
{
	add(bracket, 1);
	comma = true;
}

void line_list_start(const char *key)
{
	open_nested(key, "[");
}

void line_list_text(const char *value, size_t length)
{
	line_bytes(NULL, value, length);
}

void line_list_number(unsigned long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	add_formatted(NULL, text);
}

void line_list_end(void)
{
	close_nested("]");
}

void line_object_start(const char *key)
{
	open_nested(key, "{");
}

void line_object_end(void)
{
	close_nested("}");
}

void line_end(void)
{
	add("}\n", 2);
	if (!dropping)
		return;
	end = line_begin;
	dropping = false;
	lost++;
}

bool lines_waiting(void)
{
	return end > begin;
}

bool lines_write(void)
{
	while (begin < end) {
		ssize_t written = write(STDOUT_FILENO, queue + begin, end - begin);

		if (written < 0)
			return errno == EAGAIN || errno == EINTR;
		begin += written;
	}
	begin = end = 0;
	return true;
}

void lines_flush(void)
{
	while (lines_waiting()) {
		struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

		poll(&out, 1, -1);
		if (out.revents & (POLLERR | POLLNVAL) || !lines_write())
			return;
	}
}

unsigned long long lines_lost(void)
{
	return lost;
}
