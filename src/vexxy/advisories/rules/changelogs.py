"""Which version of a Debian package fixed a vulnerability, out of its changelog.

What this cannot know: holes without a fix, severity, and fixes whose entry names no CVE.
A hole whose first fix was incomplete gets the version of that first fix.
"""

import re
from typing import Final

_ENTRY: Final = re.compile(r"^\S+ \(([^)\s]+)\) [^\n;]*;", re.MULTILINE)
_CVE: Final = re.compile(r"CVE-\d{4}-\d{4,7}", re.ASCII)


def first_fixes(changelog: str) -> dict[str, str]:
    """Return the oldest version whose entry names each CVE; Debian policy, section 4.4."""
    found: dict[str, str] = {}
    entries = list(_ENTRY.finditer(changelog))
    ends = [*(entry.start() for entry in entries), len(changelog)][1:]
    for entry, end in zip(entries, ends, strict=True):
        # Entries run from new to old, so the last one that names a CVE is the oldest.
        for cve in _CVE.findall(changelog[entry.end() : end]):
            found[cve] = entry[1]
    return found
