"""Version orders of Linux distributions, as sort keys.

A key is a tuple that Python compares as the distribution's own tool compares the
versions. Tests hold each against that tool's answers.
"""

import re
from typing import Any, Final

from vexxy.advisories.errors import InvalidVersion

Key = tuple[Any, ...]

_DPKG: Final = re.compile(r"(?:([0-9]+):)?([0-9A-Za-z.+~:-]*[0-9A-Za-z.+~:])")
_DPKG_PARTS: Final = re.compile(r"([^0-9]*)([0-9]*)")
# Letters sort before everything else, `~` before the end of the string.
_PUNCTUATION: Final = 256


def dpkg_key(version: str) -> Key:
    """Return the order of `dpkg --compare-versions`; Debian policy, section 5.6.12."""
    found = _DPKG.fullmatch(version)
    if found is None:
        raise InvalidVersion(version)
    upstream, _, revision = found[2].rpartition("-")
    if not upstream:
        upstream, revision = found[2], ""
    return int(found[1] or 0), _dpkg_part(upstream), _dpkg_part(revision)


def _dpkg_part(text: str) -> tuple[int, ...]:
    """Flatten to codes: each run of non-digits, a closing 0, the number after it.

    A part that is missing counts as the number 0.
    """
    key: list[int] = []
    parts = _DPKG_PARTS.findall(text)
    while parts and not parts[-1][0] and not parts[-1][1].strip("0"):
        parts.pop()
    for letters, digits in parts:
        for letter in letters:
            if letter == "~":
                key.append(-1)
            else:
                key.append(ord(letter) + (0 if letter.isalpha() else _PUNCTUATION))
        key.append(0)
        key.append(int(digits or 0))
    key.append(0)
    return tuple(key)


_RPM: Final = re.compile(r"(?:([0-9]*):)?([^\s:-]+)(?:-([^\s:-]+))?")
_RPM_SEGMENTS: Final = re.compile(r"([0-9]+)|([A-Za-z]+)|([~^])")
_RPM_END: Final = (1, "")


def rpm_key(version: str) -> Key:
    """Return the order of rpm for `[epoch:]version[-release]`; rpm-version(7)."""
    found = _RPM.fullmatch(version)
    if found is None:
        raise InvalidVersion(version)
    return int(found[1] or 0), _rpm_part(found[2]), _rpm_part(found[3] or "")


def _rpm_part(text: str) -> Key:
    """Rank segments: tilde, end, caret, letters, numbers."""
    key: list[tuple[int, str | int]] = []
    for digits, letters, sign in _RPM_SEGMENTS.findall(text):
        if digits:
            key.append((4, int(digits)))
        elif letters:
            key.append((3, letters))
        else:
            key.append((0, "") if sign == "~" else (2, ""))
    key.append(_RPM_END)
    return tuple(key)


_APK: Final = re.compile(
    r"(\d+(?:\.\d+)*)([a-z]?)((?:_[a-z]+\d*)*)(?:~([0-9a-f]+))?(?:-r(\d+))?",
    re.ASCII,
)
_APK_SUFFIX: Final = re.compile(r"_([a-z]+)([0-9]*)")
_APK_BEFORE: Final = ("alpha", "beta", "pre", "rc")
_APK_AFTER: Final = ("cvs", "svn", "git", "hg", "p")
_APK_END: Final = (1,)


def apk_key(version: str) -> Key:
    """Return the order of `apk version -t`; apk-package(5), "Package versions".

    Where two versions differ in kind, the part that comes earlier in the grammar is the
    greater one, except that a pre-release suffix is below everything.
    """
    found = _APK.fullmatch(version)
    if found is None:
        raise InvalidVersion(version)
    numbers = found[1].split(".")
    key: list[tuple[object, ...]] = [(7, int(numbers[0]))]
    # A leading zero makes a later component a decimal fraction, compared as text.
    key += [(7, 0, n) if n.startswith("0") else (7, 1, int(n)) for n in numbers[1:]]
    if found[2]:
        key.append((6, found[2]))
    for name, number in _APK_SUFFIX.findall(found[3]):
        if name in _APK_BEFORE:
            key.append((0, _APK_BEFORE.index(name)))
        elif name in _APK_AFTER:
            key.append((5, _APK_AFTER.index(name)))
        else:
            raise InvalidVersion(version)
        if number:
            key.append((4, int(number)))
    if found[4]:
        key.append((3, found[4]))
    if found[5]:
        key.append((2, int(found[5])))
    key.append(_APK_END)
    return tuple(key)
