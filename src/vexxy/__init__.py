"""VEXxy Enterprise: which known vulnerabilities of an image are reachable, and why."""
