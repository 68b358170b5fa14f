"""Profile once, decide for ever: later advisories on stored runs.

**Owns:** what is kept of each package of a finished analysis, the statements about it with
their history, and deciding again when advisories change.
**Does not own:** VEX documents (`documents`) nor the first decision (`pipeline`).
"""
