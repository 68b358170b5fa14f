"""Methods of Ruby programs, told by a trace point in their own interpreters.

**Owns:** what is put beside the image for it, reading what it wrote, which interpreters
ran without it.
**Does not own:** the script itself (`beside/ruby`, which runs in the image), which
functions are vulnerable (`advisories`), what silence means (`reachability`).
"""
