"""Functions of Node.js programs, told by V8's coverage in each process and thread.

**Owns:** what is put beside the image for it, reading what it wrote, which interpreters
ran without it, what ended without last words, names and files of what ran.
**Does not own:** the script itself (`beside/node`, which runs in the image), which
functions are vulnerable (`advisories`), what silence means (`reachability`).
"""
