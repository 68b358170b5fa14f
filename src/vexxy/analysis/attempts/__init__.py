"""One attempt at a submitted analysis: begun, kept as it goes, brought to an end.

**Owns:** what a worker writes about an analysis, and what it is charged.
**Does not own:** submissions (submission), running one (pipeline), the queue (jobs).
"""
