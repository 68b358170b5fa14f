"""Decisions about subscriptions, as functions of values."""
