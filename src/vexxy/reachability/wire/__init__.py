"""Foreign formats read for facts: ELF, Go's function table, Python and JavaScript text.

**Owns:** turning bytes into names, references and strings; never more than is written.
**Does not own:** where a reference leads (loadable) or what it means (rules).
"""
