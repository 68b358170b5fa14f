"""The decision, as pure functions on values.

**Owns:** what silence of an observation is worth, the confidence formula, the rules from
facts to a status, evidence and sentences.
**Does not own:** reading anything: files, binaries and profiles arrive as facts.
"""
