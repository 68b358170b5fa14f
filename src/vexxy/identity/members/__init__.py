"""The members of an organization, and invitations to become one."""
