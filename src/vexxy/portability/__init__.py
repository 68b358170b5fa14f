"""An organization's data, handed over or erased.

**Owns:** the export of everything an organization has, and its erasure.
**Does not own:** what the slices keep: each is asked for its own.
"""
