"""Decisions about inventories, pure.

**Owns:** package URLs, OSV ecosystems of distributions, owners of files, comparing and
joining two inventories.
**Does not own:** reading anything (wire).
"""
