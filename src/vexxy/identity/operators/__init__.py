"""Operators of the whole service: named on the command line and nowhere else."""
