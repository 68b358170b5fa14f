"""Whether the full loader of an image's PyYAML makes objects of any name.

It was meant not to (CVE-2020-1747, CVE-2020-14343); since 5.4 it does not.
"""

import re
from typing import Final

from vexxy.reachability.loadable.tree import Tree

NAME: Final = "pyyaml"
LATE: Final = re.compile(r"(?i)/pyyaml-(?:5\.[4-9]|[6-9]|\d\d)")


def makes_anything(tree: Tree) -> bool:
    """Return whether some PyYAML of the image may, unless it counts as mended."""
    if NAME in tree.surroundings.mended:
        return False
    described = (*tree.files_named("METADATA"), *tree.files_named("PKG-INFO"))
    found = [one for one in described if f"/{NAME}-" in one.lower()]
    return not found or not all(LATE.search(one) for one in found)
