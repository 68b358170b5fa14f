"""What is kept of an analysis, as it is stored."""

from typing import Final

import msgspec
import zstandard

from vexxy.analysis import wire
from vexxy.analysis.reevaluation import rules
from vexxy.analysis.reevaluation.types import Kept, KeptPackage, Statement
from vexxy.analysis.types import Result
from vexxy.reachability.grounds import Ground
from vexxy.sbom.types import Package

GROUND_BYTES_MAX: Final = 32 * 1024 * 1024
_GROUND: Final = msgspec.json.Decoder(Ground)
_COMPRESS: Final = zstandard.ZstdCompressor(level=3)
_EXPAND: Final = zstandard.ZstdDecompressor()


def kept_of(result: Result) -> Kept:
    """Return what is worth keeping of a result made with `keep_grounds`."""
    places = {_key(one): place for place, one in enumerate(result.inventory.packages)}
    matches = {(_key(one.package), one.vulnerability_id): one for one in result.matches}
    return Kept(
        packages=tuple(
            KeptPackage(one.package.purl, rules.questions(one.package), pack_ground(one))
            for one in result.grounds
        ),
        statements=tuple(
            Statement(
                ordinal=places[_key(one.package)],
                vulnerability_id=one.vulnerability_id,
                match_digest=rules.digest(matches[_key(one.package), one.vulnerability_id]),
                finding=wire.verdict_object(one),
            )
            for one in result.verdicts
        ),
    )


def _key(package: Package) -> tuple[str, tuple[str, ...], str | None]:
    """Return what tells two installed copies of a package apart."""
    return package.purl, package.locations, package.embedded_in


def pack_ground(ground: Ground) -> bytes:
    """Return one package's ground, as it is stored."""
    return _COMPRESS.compress(msgspec.json.encode(ground))


def unpack_ground(packed: bytes) -> Ground:
    """Return what `pack_ground` packed."""
    return _GROUND.decode(_EXPAND.decompress(packed, max_output_size=GROUND_BYTES_MAX))
