"""Debian's archive through apt: source packages and changelogs.

**Owns:** asking apt for a source package without root and without touching the
machine's own lists, reading the patches out of its `.debian.tar`.
**Does not own:** what a patch means (advisories).
"""
