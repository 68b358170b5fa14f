"""Recorders of called functions, put beside the image and never into it.

**Owns:** what is put beside a container so that its runtimes tell which functions they
call, reading what they told, and which processes did not tell.
**Does not own:** putting files into a sandbox (`sandbox`), the kernel's tracing of files
and processes (`tracer`), which functions are vulnerable (`advisories`).
"""
