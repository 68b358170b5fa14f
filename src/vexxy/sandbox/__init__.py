"""Running an image isolated, exercising it, and leaving nothing behind.

**Owns:** the life of one sandbox, its limits, readiness, the driver that sends traffic,
removal also after a crash.
**Does not own:** the engine's protocol (integrations), what is observed (tracer).
"""
