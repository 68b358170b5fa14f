"""Records out of many files, with an account of those that are left out."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from vexxy.advisories.rules import names
from vexxy.advisories.types import REJECTED_MAX, Advisory, Rejected
from vexxy.advisories.wire import archives, records
from vexxy.kit.progress import Listener, Progress


class Intake:
    """Reads records and counts what it leaves out.

    Attributes:
        rejected: The first files that could not be used.
        rejected_total: How many there were.
        withdrawn: Records that their source took back.
        without_package: Records of commits, which name no package.
    """

    def __init__(self, *, only: str | None = None) -> None:
        self._only = only
        self.rejected: list[Rejected] = []
        self.rejected_total = 0
        self.withdrawn = 0
        self.without_package = 0

    def read(
        self, paths: Iterable[Path], *, progress: Listener
    ) -> Iterator[tuple[str, Advisory]]:
        """Yield each record and the ecosystem, without release, that it is filed under.

        That is the one asked for with `only` (as it was asked, `Debian` or `Debian:12`),
        whose packages alone are then kept, or that of the record's first package.

        Raises:
            NothingToImport: A path is neither folder, archive nor record.
        """
        every = tuple(paths)
        budget = archives.Budget()
        percent = -1
        for place, path in enumerate(every):
            for member in archives.read(path, budget):
                if isinstance(member, Rejected):
                    self._reject(member)
                    continue
                yield from self._parse(member)
                done = int(100 * (place + member.progress) / len(every))
                if done > percent:
                    percent = done
                    progress(Progress("Reading advisories", percent, detail=str(path)))

    def _reject(self, rejected: Rejected) -> None:
        self.rejected_total += 1
        if len(self.rejected) < REJECTED_MAX:
            self.rejected.append(rejected)

    def _parse(self, member: archives.Member) -> Iterator[tuple[str, Advisory]]:
        try:
            parsed = records.parse(member.content)
        except records.MalformedRecord as problem:
            self._reject(Rejected(member.path, str(problem)))
            return
        if parsed.advisory is None:
            self.withdrawn += 1
            return
        packages = tuple(one for one in parsed.advisory.packages if self._wants(one[0]))
        if not packages:
            self.without_package += 1
            return
        origin = self._only or names.family(packages[0][0])
        yield origin, parsed.advisory._replace(packages=packages)

    def _wants(self, ecosystem: str) -> bool:
        """Tell whether a record of this ecosystem belongs to the one asked for."""
        if self._only is None:
            return True
        family = names.family(ecosystem)
        return self._only in {ecosystem, family} or ecosystem == names.family(self._only)

    def why_nothing(self) -> str:
        """Return why no record was found, in words."""
        if self.rejected:
            first = self.rejected[0]
            return (
                f"{self.rejected_total} files rejected, the first is {first.path}: "
                f"{first.reason}"
            )
        if self.withdrawn or self.without_package:
            return "every record is withdrawn or names no package"
        return "there is no JSON file in it"
