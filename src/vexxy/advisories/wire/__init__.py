"""Foreign forms of advisories, and our values.

**Owns:** OSV records, the folders and archives they come in, the overlay's lines.
**Does not own:** storing them, or deciding anything.
"""
