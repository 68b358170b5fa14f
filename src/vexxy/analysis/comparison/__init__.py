"""Two analyses side by side.

**Owns:** what is new, gone, changed, stale and now fixable between them.
**Does not own:** how statements are compared (vex), what they say (reachability).
"""
