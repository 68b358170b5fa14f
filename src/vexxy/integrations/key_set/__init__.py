"""Key sets (RFC 7517) that are published at an address or kept in a file.

**Owns:** fetching the document, bounded in size, time and where it may come from.
**Does not own:** which of its keys may be used, and for how long (identity).
"""
