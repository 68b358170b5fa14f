"""Who somebody is and what they may do.

**Owns:** organizations, users, passwords, tokens, API keys, roles, invitations, limits on
guessing, and the link to base VEXxy.
**Does not own:** what is recorded about acts (audit), nor how a request carries credentials
(http).
"""
