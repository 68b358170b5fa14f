/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes files as fast as it can and says how long that took.
 *
 * tracer_opens same PATH COUNT       one file, again and again
 * tracer_opens distinct DIR COUNT    DIR/0 to DIR/COUNT-1, each once
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec + at.tv_nsec / 1e9;
}

int main(int count, char **words)
{
	char path[4096];
	double started;
	long times;

	if (count != 4)
		return 2;
	times = atol(words[3]);
	started = now();
	for (long i = 0; i < times; i++) {
		int file;

		if (strcmp(words[1], "distinct") == 0)
			snprintf(path, sizeof(path), "%s/%ld", words[2], i);
		else if (i == 0)
			snprintf(path, sizeof(path), "%s", words[2]);
		file = open(path, O_RDONLY);
		if (file < 0)
			return 1;
		close(file);
	}
	printf("%.9f\n", now() - started);
	return 0;
}
