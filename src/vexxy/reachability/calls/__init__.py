"""Which functions could be called by what was loaded, one module a language.

**Owns:** call graphs of Python, JavaScript and compiled programs, and paths in them.
**Does not own:** which files could be loaded (`loadable`), and what a path means for a
verdict (`rules`).
"""
