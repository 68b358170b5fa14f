"""The command line: one thin file per slice it opens.

**Owns:** options, exit codes, what a terminal shows.
**Does not own:** anything a second door would need.
"""
