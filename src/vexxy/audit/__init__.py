"""Who did what, to what, when: appended in the act's own transaction.

**Owns:** the table `billing_audit_log`, what may stand in it, reading and exporting it.
**Does not own:** deciding whether somebody may act (identity), nor what a slice does.
"""
