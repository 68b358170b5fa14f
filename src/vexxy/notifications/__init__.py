"""Telling organizations and base VEXxy what happened, by signed webhooks.

**Owns:** who wants to hear of what, deliveries, their signatures, retries and dead letters.
**Does not own:** how a request is sent (`integrations`) nor what happened.
"""
