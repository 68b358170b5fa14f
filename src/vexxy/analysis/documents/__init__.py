"""Documents around analyses: SBOMs that are given, VEX documents that are issued.

**Owns:** both tables, the editions of a VEX document and their history.
**Does not own:** the formats (sbom, vex), what a document states (reachability).
"""
