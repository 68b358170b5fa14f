"""The verdict: is the vulnerable code of this finding reached, and how sure is that.

**Owns:** levels, statuses, confidence, evidence and the sentence that explains them; the
static overlay of what could still be loaded.
**Does not own:** observing (tracer), matching versions (advisories), publishing (vex).
"""
