"""Accounts of people: registration, sign-in, passwords, logging out everywhere."""
