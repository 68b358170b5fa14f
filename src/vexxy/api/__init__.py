"""The programming interface.

**Owns:** routes and the models of what they take and answer, one thin file a slice.
**Does not own:** decisions, queries or transactions.
"""
