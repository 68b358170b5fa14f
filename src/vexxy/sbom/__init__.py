"""What is installed in an image, and which file belongs to which package.

**Owns:** reading inventories from a root file system and from CycloneDX, SPDX and Syft
documents; writing CycloneDX and SPDX.
**Does not own:** whether a package is vulnerable (advisories) or used (reachability).
"""
