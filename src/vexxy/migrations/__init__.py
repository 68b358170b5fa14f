"""The schema, step by step; the only way it changes.

**Owns:** tables, roles, policies and triggers as Alembic revisions.
**Does not own:** the mapped classes: each slice keeps those of its tables in `models`.
"""
