"""Secrets that were made for a machine on which nobody set any.

**Owns:** making them once, and their files, which only their owner can read.
**Does not own:** whether made secrets are allowed: production refuses them.
"""
