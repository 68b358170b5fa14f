"""Many spends, one commit: the hot path of the ledger.

**Owns:** combining what waits at the same moment into one decision, one statement and one
commit; what a process remembers of accounts between two of them; holds that customers and
base VEXxy make for work of their own.

**Does not own:** what a hold or a settlement is and whether it may be (`ledger`), nor who
may ask for one.
"""
