"""The SQL of the queue: for those who enqueue and look, and for those who work."""
