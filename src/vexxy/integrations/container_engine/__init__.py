"""Podman and Docker through their Docker-compatible HTTP API.

**Owns:** finding or starting an engine, its JSON, its failures, the few endpoints that
only Podman has, running ourselves as a helper beside an engine that is elsewhere.
**Does not own:** what a sandbox is allowed, or when it is ready (sandbox).
"""
