"""Foreign formats of images: tar, OCI documents, docker archives.

**Owns:** reading them with every size bounded.
**Does not own:** which image of an archive is meant (archive).
"""
