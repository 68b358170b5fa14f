"""Functions of Python programs, told by a module in their own interpreters.

**Owns:** what is put beside the image for it, reading what it wrote, which interpreters
ran without it, and qualified names where the interpreter does not know them.
**Does not own:** the module itself (`beside/python`, which runs in the image), which
functions are vulnerable (`advisories`), what silence means (`reachability`).
"""
