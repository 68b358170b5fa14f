"""The agent's JSON lines and what they add up to.

**Owns:** the agent's line format, its assembly into a trace.
**Does not own:** the agent process, or what a path means.
"""
