"""Evidence on a disk of this machine or in a bucket, through obstore (ADR 0018).

**Owns:** obstore, its options and errors, what each kind of store needs around it.
**Does not own:** what is stored and under which path (`evidence`).
"""
