"""VEX documents that other tools honor.

**Owns:** OpenVEX 0.2.0: building, canonical hash, checking, merging, diffing; writing
CycloneDX, CSAF and SARIF; telling which consumer matches which statement.
**Does not own:** deciding a status (reachability).
"""
