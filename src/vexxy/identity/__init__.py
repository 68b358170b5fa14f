"""Who somebody is and what they may do.

**Owns** organizations, users, passwords, tokens, API keys, roles, invitations.
**Does not own** what is recorded about their acts (`audit`), nor how a request carries
credentials (`http`).
"""
