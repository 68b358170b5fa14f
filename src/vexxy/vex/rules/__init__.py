"""What a document must say, and what others make of it: pure functions on values.

**Owns:** the forms of package URLs, statements from claims, canonical hash, editions,
merging, differences, checks, the matching rules of other tools.
**Does not own:** any file format; what is written where (wire).
"""
