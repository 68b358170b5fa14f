/* Ground truth by construction: each route loads one more library, in one way.
 *
 * ../test.sh takes some of the routes and ../all.sh takes every one; what neither can
 * make the daemon load is never loaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *cJSON_Version(void); /* libcjson: linked and called; libgif: linked alone */

/* Load a library, see that one of its functions is there, and keep it. */
static int load(const char *name, const char *symbol)
{
	void *library = dlopen(name, RTLD_NOW);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 0;
	}
	return dlsym(library, symbol) != NULL;
}

/* Read a file to its end, as data. */
static long slurp(const char *path)
{
	char part[4096];
	long total = 0;
	size_t got;
	FILE *file = fopen(path, "r");

	if (!file)
		return -1;
	while ((got = fread(part, 1, sizeof part, file)) > 0)
		total += (long)got;
	fclose(file);
	return total;
}

/* Find a library in the places where the loader of this distribution looks. */
static int open_library(const char *name)
{
	static const char *const folders[] = {"/usr/lib/x86_64-linux-gnu",
					      "/usr/lib/aarch64-linux-gnu"};
	char path[256];
	int file = -1;

	for (size_t i = 0; i < 2 && file < 0; i++) {
		snprintf(path, sizeof path, "%s/%s", folders[i], name);
		file = open(path, O_RDONLY | O_CLOEXEC);
	}
	return file;
}

/* Load a copy: what the loader maps is not the file that the package owns. */
static int load_copy(const char *name, int target, const char *as, const char *symbol)
{
	struct stat status;
	int source = open_library(name);

	if (source < 0 || target < 0 || fstat(source, &status) ||
	    sendfile(target, source, NULL, (size_t)status.st_size) != status.st_size)
		return 0;
	close(source);
	return load(as, symbol);
}

static int load_from_memory(const char *name, const char *symbol)
{
	char path[32];
	int memory = memfd_create("library", 0);

	snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
	return load_copy(name, memory, path, symbol);
}

/* Hidden: the loader never opens the file of the package. truth-hidden sets the variable. */
static int hidden(void) { return getenv("VXD_HIDDEN") != NULL; }

static int load_at_start(const char *name, const char *symbol)
{
	int copy, done;

	if (!hidden())
		return load(name, symbol);
	copy = open("/tmp/copy.so", O_RDWR | O_CREAT | O_TRUNC, 0700);
	done = load_copy(name, copy, "/tmp/copy.so", symbol);
	close(copy);
	unlink("/tmp/copy.so");
	return done || load_from_memory(name, symbol); /* where /tmp holds no programs */
}

static int load_plugin(const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/usr/lib/vxd/%s.so", name);
	return load(path, "version");
}

/* The name exists in no file: it is put together here. */
static int load_computed(const char *stem, int version, const char *symbol)
{
	char name[64];

	snprintf(name, sizeof name, "lib%s.so.%d", stem, version);
	return load(name, symbol);
}

static int load_configured(const char *symbol)
{
	char name[64] = "";
	FILE *file = fopen("/etc/vxd.conf", "r");

	if (!file || fscanf(file, "compressor = %63s", name) != 1)
		return 0;
	fclose(file);
	return load(name, symbol);
}

static int helper(const char *program)
{
	pid_t child = fork();
	int status = 1;

	if (child == 0) {
		execlp(program, program, "--version", (char *)NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return status == 0;
}

static int start(void)
{
	time_t now = time(NULL);
	int done = load("libexpat.so.1", "XML_ExpatVersion") +
		   load("/opt/lib/current.so", "pcre_version") +
		   load("/opt/lib/second-name.so", "mnl_socket_open") +
		   load_at_start("libsodium.so.23", "sodium_init");

	fprintf(stderr, "cJSON %s, hour %d, %d of 4 libraries\n", cJSON_Version(),
		localtime(&now)->tm_hour, done);
	return done == 4 && slurp("/etc/mime.types") > 0 &&
	       slurp("/var/lib/dpkg/status") > 0 &&
	       slurp("/usr/share/doc/libmaxminddb0/copyright") > 0;
}

static int answer(const char *route)
{
	if (!strcmp(route, "/"))
		return 1;
	if (!strcmp(route, "/jpeg")) /* driven */
		return load("libjpeg.so.62", "jpeg_std_error");
	if (!strcmp(route, "/memory")) /* driven */
		return hidden() ? load_from_memory("libyajl.so.2", "yajl_alloc")
				: load("libyajl.so.2", "yajl_alloc");
	if (!strcmp(route, "/plugin/webp")) /* driven */
		return load_plugin("webp");
	if (!strcmp(route, "/shell")) /* driven: a shell and a program */
		return system("xz --version >/dev/null") == 0;
	if (!strcmp(route, "/yaml"))
		return load("libyaml-0.so.2", "yaml_get_version_string");
	if (!strcmp(route, "/json"))
		return load("libjansson.so.4", "json_object");
	if (!strcmp(route, "/computed"))
		return load_computed("argon2", 1, "argon2_hash");
	if (!strcmp(route, "/configured"))
		return load_configured("lzo_version");
	if (!strcmp(route, "/plugin/png"))
		return load_plugin("png");
	if (!strcmp(route, "/helper"))
		return helper("bzip2");
	return 0;
}

static void serve(int client)
{
	char request[2048], route[64] = "", head[128];
	ssize_t got = read(client, request, sizeof request - 1);
	int good;

	if (got <= 0)
		return;
	request[got] = 0;
	good = sscanf(request, "GET %63s", route) == 1 && answer(route);
	got = snprintf(head, sizeof head,
		       "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		       good ? "200 OK" : "500 Not loaded");
	if (write(client, head, (size_t)got) != got)
		perror("write");
}

int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
	int yes = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client;

	setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (!start() || bind(door, (void *)&address, sizeof address) || listen(door, 16)) {
		perror("start");
		return 1;
	}
	while ((client = accept(door, NULL, NULL)) >= 0) {
		serve(client);
		close(client);
	}
	return 1;
}
