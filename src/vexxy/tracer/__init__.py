"""What the kernel saw a container do.

**Owns:** recording (eBPF, fanotify, ptrace), the classes of access, the execution
profile and how complete it is.
**Does not own:** running the container (sandbox) or what the profile means for a
vulnerability (reachability).
"""
