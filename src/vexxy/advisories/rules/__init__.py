"""Decisions about advisories: pure functions on values.

**Owns:** version orders, the OSV range algorithm, names and ecosystems, severities,
which ids are one vulnerability, functions named in patches.
**Does not own:** reading or storing anything.
"""
