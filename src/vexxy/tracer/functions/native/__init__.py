"""Functions of compiled programs and libraries: where they begin, and who was entered.

**Owns:** the places of a function in a file (its entry, its inlined copies), the probes
that wait there, and what a hit or the lack of one says.
**Does not own:** setting probes in the kernel (the agent `vexxy-trace`), which functions
are vulnerable (`advisories`), what silence means for a verdict (`reachability`).
"""
