// SPDX-License-Identifier: Apache-2.0
/* Lists of probes, one a line:
 *
 *   file host|container PATH      path with %XX for bytes that are no plain text
 *   probe NUMBER OFFSET entry|inside BYTES    of the file before; bytes expected there
 *   set                           set what was listed since the last one
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "uprobes.h"

#define LINE_MAX_BYTES (3 * PATH_BYTES + 64)
#define WORDS_MAX 5

static int input = -1;
static char buffer[2 * LINE_MAX_BYTES];
static size_t filled;
static struct probed_file *current;

static int digit(char letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	letter |= 0x20;
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static void decode_path(char *path)
{
	char *out = path;

	for (const char *at = path; *at; at++) {
		if (*at == '%' && digit(at[1]) >= 0 && digit(at[2]) >= 0) {
			*out++ = digit(at[1]) << 4 | digit(at[2]);
			at += 2;
		} else {
			*out++ = *at;
		}
	}
	*out = 0;
}

static bool read_probe(char **words, size_t count)
{
	struct probe probe = { 0 };
	char *end;

	if (count != 5 || !current)
		return false;
	probe.number = strtoul(words[1], &end, 10);
	if (*end || probe.number >= PROBES_MAX)
		return false;
	probe.offset = strtoull(words[2], &end, 10);
	probe.entry = strcmp(words[3], "entry") == 0;
	if (*end || strlen(words[4]) > 2 * EXPECTED_BYTES)
		return false;
	for (const char *at = words[4]; digit(at[0]) >= 0 && digit(at[1]) >= 0; at += 2)
		probe.expected[probe.expected_bytes++] = digit(at[0]) << 4 | digit(at[1]);
	uprobe_add(current, &probe);
	return true;
}

static bool read_file(char **words, size_t count)
{
	if (count != 3)
		return false;
	decode_path(words[2]);
	current = uprobe_file_add(words[2], strcmp(words[1], "host") == 0);
	return current != NULL;
}

/* True where the line ends a set. */
static bool read_line(char *line)
{
	char *words[WORDS_MAX], *rest = NULL;
	size_t count = 0;
	bool understood = false;

	for (char *word = strtok_r(line, " ", &rest); word && count < WORDS_MAX;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	if (count == 1 && strcmp(words[0], "set") == 0) {
		current = NULL;
		return true;
	}
	if (count && strcmp(words[0], "file") == 0)
		understood = read_file(words, count);
	else if (count && strcmp(words[0], "probe") == 0)
		understood = read_probe(words, count);
	if (!understood)
		uprobes_complain("a line of the list of probes was not understood");
	return false;
}

static bool take_line(bool *complete)
{
	char *end = memchr(buffer, '\n', filled);

	if (!end)
		return false;
	*end = 0;
	*complete = read_line(buffer);
	filled -= end + 1 - buffer;
	memmove(buffer, end + 1, filled);
	return true;
}

static void close_input(void)
{
	if (input > STDERR_FILENO)
		close(input);
	input = -1;
}

bool uprobe_lines_open(const char *path)
{
	bool standard = strcmp(path, "-") == 0;

	input = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	return input >= 0;
}

int uprobe_lines_descriptor(void)
{
	return input;
}

bool uprobe_lines_read(bool wait)
{
	bool complete = false;

	while (!complete) {
		ssize_t bytes;

		if (take_line(&complete))
			continue;
		if (input < 0)
			return false;
		if (filled == sizeof(buffer)) {
			uprobes_complain("a line of the list of probes is too long");
			close_input();
			return true;
		}
		bytes = read(input, buffer + filled, sizeof(buffer) - filled);
		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes <= 0) {
			close_input();
			return true;
		}
		filled += bytes;
		/* More may come later; what is here is read to its last whole line. */
		if (!wait)
			while (!complete && take_line(&complete))
				;
		if (!wait)
			return complete;
	}
	return true;
}
