"""The static overlay: what was not seen running and could still be loaded.

**Owns:** following references from what ran (linker, plugins, programs by name, imports)
to everything they can lead to, each with its first cause.
**Does not own:** what that means for a verdict (rules).
"""
