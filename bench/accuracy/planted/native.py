"""A C daemon and a library of planted functions, both as Debian packages."""

from typing import Final

from bench.accuracy.planted.table import (
    ABSENT,
    COPY,
    DEAD,
    DYNAMIC,
    INLINED,
    INLINED_UNTAKEN,
    OLD,
    PLATFORM,
    RAN,
    UNTAKEN,
    Planted,
    Project,
)

LEGACY: Final = "/opt/legacy/lib/"
HIT: Final = "hit(AT);"

# shape -> (definition, symbol, use); AT is the counter's place.
SHAPES: Final = {
    "function": ("int NAME(int x) { HIT return x + 1; }", "NAME", "NAME(1)"),
    "private helper": (
        (
            "static int __attribute__((noinline)) NAME_help(int x) { HIT return x; }\n"
            "int NAME(int x) { return NAME_help(x); }"
        ),
        "NAME_help",
        "NAME(1)",
    ),
    "callback": ("int NAME(int x) { HIT return x; }", "NAME", "apply(NAME)"),
    "table": (
        "int NAME_entry(int x) { HIT return x; }\nint (*NAME[1])(int) = { NAME_entry };",
        "NAME_entry",
        "NAME[0](1)",
    ),
    "structure": (
        "static int NAME_do(int x) { HIT return x; }\nconst struct ops NAME = { NAME_do };",
        "NAME_do",
        "NAME.run(1)",
    ),
    "thread": ("int NAME(int x) { HIT return x; }", "NAME", "threaded(NAME)"),
    "forked child": ("int NAME(int x) { HIT return x; }", "NAME", "forked(NAME)"),
}
HEADER: Final = """struct ops { int (*run)(int); };
extern volatile char *seen;
void hit(int at);
"""
LIBRARY_HEAD: Final = """#include "vxplant.h"
#include <sys/mman.h>
/* Shared with children, so that their calls count. */
volatile char *seen;
__attribute__((constructor)) static void start(void) {
  seen = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}
void hit(int at) { seen[at] = 1; }
"""
DAEMON: Final = """#include "vxplant.h"
#include "declared.h"
#include "names.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static int apply(int (*f)(int)) { return f(1); }
static void *body(void *f) { ((int (*)(int))f)(1); return 0; }
static int threaded(int (*f)(int)) {
  pthread_t one; pthread_create(&one, 0, body, (void *)f); pthread_join(one, 0); return 0;
}
static int forked(int (*f)(int)) {
  pid_t child = fork(); if (!child) { f(1); _exit(0); } waitpid(child, 0, 0); return 0;
}
static int is(const char *name) {
  struct utsname u; uname(&u); return !strcmp(u.sysname, name);
}
static int by_name(const char *prefix, const char *name) {
  char whole[64]; snprintf(whole, sizeof whole, "%s%s", prefix, name);
  int (*f)(int) = (int (*)(int))dlsym(RTLD_DEFAULT, whole);
  return f ? f(1) : -1;
}
static void tell(int signal) {
  (void)signal;
  for (int at = 0; at < NAMES; at++)
    if (seen[at]) printf("VXSEEN libvxplant %s\\n", names[at]);
  fflush(stdout);
  _exit(0);
}
static int answer(const char *path) {
ROUTES
  return -404;
}
int main(void) {
  signal(SIGTERM, tell);
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(8080) };
  bind(listener, (struct sockaddr *)&here, sizeof here);
  listen(listener, 64);
  for (;;) {
    int peer = accept(listener, 0, 0);
    char request[2048] = "", path[256] = "", reply[256];
    if (read(peer, request, sizeof request - 1) <= 0) { close(peer); continue; }
    sscanf(request, "GET %255s", path);
    int value = answer(path);
    int size = snprintf(reply, sizeof reply, "HTTP/1.0 %s\\r\\n\\r\\n%d\\n",
                        value == -404 ? "404 Not Found" : "200 OK", value);
    if (write(peer, reply, size) < 0) {}
    close(peer);
  }
}
"""
MAKEFILE: Final = """CC = gcc
LIB = usr/lib/x86_64-linux-gnu
SO = $(CC) -g -O2 -fPIC -shared
OLD = o/opt/legacy/lib
all:
\tmkdir -p l/DEBIAN l/$(LIB) d/DEBIAN d/usr/sbin o/DEBIAN $(OLD) $(DESTDIR)/packages
\t$(SO) -Wl,-soname,libvxplant.so.1 -o l/$(LIB)/libvxplant.so.1 plant.c
\t$(SO) -Wl,-soname,libvxcopy.so.2 -o l/$(LIB)/libvxcopy.so.2 copy.c
\t$(SO) -Wl,-soname,libvxcopy.so.1 -DOLD -o $(OLD)/libvxcopy.so.1 copy.c
\t$(CC) -g -O2 -rdynamic -o d/usr/sbin/vxd daemon.c l/$(LIB)/*.so.? -lpthread
\tcp libvxplant.control l/DEBIAN/control
\tcp vxd.control d/DEBIAN/control
\tcp legacy.control o/DEBIAN/control
\tfor p in l d o; do \\
\t  dpkg-deb --root-owner-group --build $$p $(DESTDIR)/packages/$$p.deb; done
"""


class Writer:
    """Collects code, routes and rows."""

    def __init__(self) -> None:
        self.library = LIBRARY_HEAD
        self.declared: list[str] = []
        self.routes: list[str] = []
        self.rows: list[Planted] = []
        self.taken: list[str] = []
        self.untaken: list[str] = []

    def row(self, symbol: str, label: str, shape: str) -> str:
        """Add a row; return the statement that counts its calls."""
        self.rows.append(Planted("deb", "libvxplant", "plant.c", symbol, label, shape))
        return HIT.replace("AT", str(len(self.rows) - 1))

    def route(self, path: str, value: str, *, taken: bool) -> None:
        """Add a route and the request for it."""
        self.routes.append(f'  if (!strcmp(path, "{path}")) return {value};')
        (self.taken if taken else self.untaken).append(path)

    def define(self, text: str, counter: str) -> None:
        """Add a definition."""
        self.library += text.replace("HIT", counter) + "\n"

    def shaped(self, label: str, short: str, *, used: bool = True) -> None:
        """Plant two functions of every shape."""
        for number in range(2 * len(SHAPES)):
            shape = list(SHAPES)[number // 2]
            name = f"vx_{short}{number}"
            definition, symbol, use = (t.replace("NAME", name) for t in SHAPES[shape])
            self.define(definition, self.row(symbol, label, shape))
            if shape == "table":
                self.declared.append(f"extern int (*{name}[1])(int);")
            elif shape == "structure":
                self.declared.append(f"extern const struct ops {name};")
            else:
                self.declared.append(f"int {name}(int);")
            if used:
                self.route(f"/{short}/{number}", use, taken=label == RAN)

    def inlined(self) -> None:
        """Plant functions that the compiler copies into their callers."""
        for number in range(8):
            label = INLINED if number % 2 else INLINED_UNTAKEN
            name = f"vx_small{number}"
            self.define(
                f"static inline __attribute__((always_inline)) int {name}(int x)"
                f" {{ HIT return x + 1; }}\n"
                f"int vx_outer{number}(int x) {{ return {name}(x) * 2; }}",
                self.row(name, label, "small"),
            )
            self.declared.append(f"int vx_outer{number}(int);")
            self.route(f"/small/{number}", f"vx_outer{number}(1)", taken=label == INLINED)

    def dynamic(self) -> None:
        """Plant functions that are chosen by a name that comes from outside."""
        for number in range(5):
            name = f"vx_cmd_{number}"
            counter = self.row(name, DYNAMIC, "dlsym")
            self.define(f"int {name}(int x) {{ HIT return x; }}", counter)
            self.untaken.append(f"/cmd/{number}")
        self.routes.append(
            '  if (!strncmp(path, "/cmd/", 5)) return by_name("vx_cmd_", path + 5);'
        )
        for number in range(5):
            name = f"vx_entry_{number}"
            counter = self.row(name, DYNAMIC, "index of a table")
            self.define(f"static int {name}(int x) {{ HIT return x; }}", counter)
            self.untaken.append(f"/entry/{number}")
        table = ", ".join(f"vx_entry_{n}" for n in range(5))
        self.library += f"int (*vx_entries[5])(int) = {{ {table} }};\n"
        self.declared.append("extern int (*vx_entries[5])(int);")
        self.routes.append(
            '  if (!strncmp(path, "/entry/", 7))'
            " return vx_entries[(unsigned)atoi(path + 7) % 5](1);"
        )

    def platform(self) -> None:
        """Plant functions for another system."""
        for number in range(6):
            name = f"vx_registry{number}"
            counter = self.row(name, PLATFORM, "left out by the preprocessor")
            self.define(
                f"#ifdef _WIN32\nint {name}(int x) {{ HIT return x; }}\n#endif", counter
            )
        for number in range(6):
            name = f"vx_drive{number}"
            counter = self.row(name, PLATFORM, "branch not taken")
            self.define(f"int {name}(int x) {{ HIT return x; }}", counter)
            self.declared.append(f"int {name}(int);")
            self.route(f"/drive/{number}", f'is("Plan9") ? {name}(1) : 0', taken=True)

    def absent(self) -> None:
        """Name functions that this version does not have."""
        for number in range(10):
            self.row(f"vx_gone{number}", ABSENT, "function")

    def copies(self) -> dict[str, str]:
        """Plant functions in a library that nothing loads; return its sources."""
        steps = "".join(f"int vxc_step{n}(int x) {{ return x; }}\n" for n in range(5))
        former = steps.replace("step", "former")
        for n in range(5):
            for name in (f"vxc_step{n}", f"vxc_former{n}"):
                shape = "runs in the other copy" if "step" in name else "nowhere else"
                self.rows.append(
                    Planted("deb", "vxcopy-legacy", "copy.c", name, COPY, shape)
                )
            self.declared.append(f"int vxc_step{n}(int);")
            self.route(f"/copy/{n}", f"vxc_step{n}(1)", taken=True)
        return {"native/copy.c": f"{steps}#ifdef OLD\n{former}#endif\n"}


def control(name: str, version: str, depends: str = "") -> str:
    """Return a Debian control file."""
    needs = f"Depends: {depends}\n" if depends else ""
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n{needs}"
        f"Maintainer: nobody <nobody@example.org>\nDescription: planted\n"
    )


def project() -> Project:
    """Return the daemon and its libraries."""
    writer = Writer()
    writer.shaped(RAN, "ran")
    writer.shaped(UNTAKEN, "other")
    writer.shaped(DEAD, "dead", used=False)
    writer.inlined()
    writer.dynamic()
    writer.platform()
    counted = len(writer.rows)
    writer.absent()
    files = writer.copies()
    listed = ", ".join(f'"{row.symbol}"' for row in writer.rows[:counted])
    files |= {
        "native/vxplant.h": HEADER,
        "native/plant.c": writer.library,
        "native/declared.h": "\n".join(writer.declared) + "\n",
        "native/names.h": f"#define NAMES {counted}\n"
        f"static const char *names[] = {{ {listed} }};\n",
        "native/daemon.c": DAEMON.replace("ROUTES", "\n".join(writer.routes)),
        "native/Makefile": MAKEFILE,
        "native/libvxplant.control": control("libvxplant", OLD, "libc6"),
        "native/vxd.control": control("vxd", OLD, "libvxplant"),
        "native/legacy.control": control("vxcopy-legacy", OLD),
    }
    return Project(
        "planted-c",
        tuple(writer.rows),
        files,
        tuple(writer.taken),
        tuple(writer.untaken),
        config=("EXPOSE 8080", 'CMD ["/usr/sbin/vxd"]'),
        native=True,
    )
