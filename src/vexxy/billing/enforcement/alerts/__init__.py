"""Telling an organization, once, that it reached a percentage of a quota."""
