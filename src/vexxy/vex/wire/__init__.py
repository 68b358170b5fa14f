"""Formats of VEX: OpenVEX in and out, CycloneDX, CSAF and SARIF out.

**Owns:** what is written where in each format, limits on what is read.
**Does not own:** which statements there are and what they say (rules).
"""
