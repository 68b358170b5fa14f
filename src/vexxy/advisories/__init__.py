"""Known vulnerabilities: OSV records, and which installed package each one hits.

**Owns:** importing and indexing OSV records, exact version order, aliases, vulnerable
symbols with their provenance.
**Does not own:** whether the vulnerable code runs (reachability).
"""
