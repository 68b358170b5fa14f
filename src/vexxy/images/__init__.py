"""What a container image is: reference, digest, platform, archive, root file system.

**Owns:** parsing references, checking OCI and docker archives, safe look-ups inside a
root file system.
**Does not own:** running images (sandbox) or what is installed in them (sbom).
"""
