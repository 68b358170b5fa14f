"""What a Go program could still call.

**Owns:** the closure over one program's machine code, types and data.
**Does not own:** names of functions (`wire/gopclntab.py`), recording (`tracer`).
"""
