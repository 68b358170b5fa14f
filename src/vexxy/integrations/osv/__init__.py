"""OSV's exports, or a mirror of them, over HTTP.

**Owns:** where an ecosystem's archive lies, downloading it with resumption, conditional
requests, what the server says of a file's size and digest.
**Does not own:** reading or storing the records (advisories).
"""
