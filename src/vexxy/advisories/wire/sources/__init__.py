"""Outlines of source files, one file a language.

**Owns:** the names that Python, JavaScript, TypeScript, Go and C give their functions.
**Does not own:** what a change of a line means (advisories.rules.fixes).
"""
