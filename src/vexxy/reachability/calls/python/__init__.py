"""The call graph of Python code, by names.

**Owns:** what one file mentions, where a mention leads, what everything that ran leads to.
**Does not own:** which files can be imported (`loadable.modules`).
"""
