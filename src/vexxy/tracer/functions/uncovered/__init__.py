"""Interpreters whose functions nobody records, named where they ran.

**Owns:** telling by its name, or by the library it maps, that such an interpreter ran.
**Does not own:** interpreters that are recorded (their own packages beside this one).
"""
