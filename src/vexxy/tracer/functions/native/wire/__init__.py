"""Formats of compiled code: ELF, Go's function table, DWARF, mangled names.

**Owns:** reading each format into functions, addresses and ranges.
**Does not own:** which of these addresses are worth a probe (`native.places`).
"""
