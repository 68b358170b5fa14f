"""String literals of compiled Java code.

Source: The Java Virtual Machine Specification, Java SE 21, section 4.4 (constant pool).
"""

import struct
from collections.abc import Iterator
from typing import Final

from vexxy.reachability.errors import Unparsable

MAGIC: Final = b"\xca\xfe\xba\xbe"
UTF8: Final = 1
STRING: Final = 8
# Long and double take two places in the table.
WIDE: Final = frozenset({5, 6})
SIZES: Final = {
    3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4,
    18: 4, 19: 2, 20: 2,
}  # fmt: skip
# Calls, and libraries around them, that start programs.
STARTS: Final = (
    b"ProcessBuilder", b"commons/exec/", b"zeroturnaround/exec/", b"sys/process/",
    b"ProcessGroovyMethods", b"pty4j/", b"nuprocess/",
)  # fmt: skip


def literals(content: bytes) -> Iterator[str]:
    """Yield the string literals of one class; what a template leaves open is U+0001.

    Raises:
        Unparsable: It is no class file, or its table of constants is damaged.
    """
    if content[:4] != MAGIC:
        raise Unparsable("no class file")
    texts: dict[int, bytes] = {}
    strings: list[int] = []
    try:
        (count,) = struct.unpack_from(">H", content, 8)
        at, index = 10, 1
        while index < count:
            tag = content[at]
            if tag == UTF8:
                (size,) = struct.unpack_from(">H", content, at + 1)
                texts[index] = content[at + 3 : at + 3 + size]
                at += 3 + size
            else:
                if tag == STRING:
                    strings += struct.unpack_from(">H", content, at + 1)
                at += 1 + SIZES[tag]
            index += 2 if tag in WIDE else 1
    except (IndexError, KeyError, struct.error) as error:
        raise Unparsable("a damaged table of constants") from error
    for one in strings:
        yield texts.get(one, b"").decode("utf-8", "replace")


def can_start_programs(content: bytes) -> bool:
    """Return whether a class names a call that starts programs."""
    runtime = b"java/lang/Runtime" in content and b"exec" in content
    return runtime or any(one in content for one in STARTS)
