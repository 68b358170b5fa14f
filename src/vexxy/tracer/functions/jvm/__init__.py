"""Classes that Java virtual machines loaded, told by their own log.

**Owns:** the option that asks for the log, reading it, which machines ran without it.
**Does not own:** which classes are vulnerable (`advisories`), what silence means
(`reachability`).
"""
