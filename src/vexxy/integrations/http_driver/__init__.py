"""Traffic for what answers on ports: a small crawler, and words of a few protocols.

**Owns:** which requests are sent and how answers lead to further ones; runs as a program
of its own inside a sandbox's network.
**Does not own:** when traffic starts and ends, or what a request proves (sandbox,
reachability).
"""
