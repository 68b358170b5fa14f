"""Repositories on this machine, read with git.

**Owns:** asking git for commits, files and messages without running anything that a
repository brings along.
**Does not own:** what a change means (advisories).
"""
