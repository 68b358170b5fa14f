"""Judging every finding of an image, from what ran and what could still be loaded."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from vexxy.advisories.rules import preconditions
from vexxy.advisories.types import Match
from vexxy.reachability import copies, grounds, outside
from vexxy.reachability.calling import Calling
from vexxy.reachability.calls.python.facts import ModuleFacts
from vexxy.reachability.copies import Copies
from vexxy.reachability.grounds import Ground
from vexxy.reachability.linked import Linked
from vexxy.reachability.loadable.closure import Closure, loaded_files
from vexxy.reachability.loadable.data import Data
from vexxy.reachability.loadable.tree import Surroundings, Tree
from vexxy.reachability.ownership import Owned, Ownership
from vexxy.reachability.ports import Root
from vexxy.reachability.proof import Proofs
from vexxy.reachability.rules import chains, makers, packages
from vexxy.reachability.rules import explain as explaining
from vexxy.reachability.rules.decide import decide_all
from vexxy.reachability.rules.facts import Facts
from vexxy.reachability.rules.observation import Observation, weigh
from vexxy.reachability.types import Loadable, Settings, Verdict
from vexxy.sbom.rules import owners as owning
from vexxy.sbom.types import Inventory, Package
from vexxy.tracer.types import Access, ExecutionProfile, FunctionCall

CHAINS_MAX: Final = 3
DEFAULTS: Final = Settings()


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts of today, and what later ones will stand on."""

    verdicts: tuple[Verdict, ...]
    grounds: tuple[Ground, ...]


def overlay(
    root: Root,
    profile: ExecutionProfile,
    inventory: Inventory,
    *,
    settings: Settings = DEFAULTS,
) -> Loadable:
    """Return what could still be loaded after what the profile saw.

    Files are followed, not packages; the inventory only tells copies of a package's
    files, and programs of the distribution from those that were built into the image.
    """
    tree = _tree(root, settings, inventory)
    moved = outside.with_moved(profile, outside.find(tree, profile))
    return _overlay(moved, Copies(tree, inventory), tree=tree, settings=settings)


def judge(
    matches: Sequence[Match],
    *,
    inventory: Inventory,
    profile: ExecutionProfile,
    root: Root,
    driven: bool,
    settings: Settings = DEFAULTS,
    loadable: Loadable | None = None,
) -> tuple[Verdict, ...]:
    """Return one verdict per match, in the order of the matches.

    `driven` is True when the image answered a request, or something of it reacted to a
    test script that succeeded.
    `loadable` is what `overlay` returned; it is computed here when None.
    """
    tree = _tree(root, settings, inventory)
    run = _Run(matches, inventory, profile, tree, driven, settings)
    return _verdicts(run, _gatherer(run, loadable))


def judge_and_keep(
    matches: Sequence[Match],
    *,
    inventory: Inventory,
    profile: ExecutionProfile,
    root: Root,
    driven: bool,
    settings: Settings = DEFAULTS,
    keep: bool = True,
) -> Judgement:
    """Return the verdicts, and what to keep to decide about other advisories later.

    The same as `judge`, with a look at every installed package if that is to be kept.
    """
    tree = _tree(root, settings, inventory)
    run = _Run(matches, inventory, profile, tree, driven, settings)
    gatherer = _gatherer(run, None)
    return Judgement(
        verdicts=_verdicts(run, gatherer),
        grounds=tuple(gatherer.grounds(inventory, profile)) if keep else (),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """What is judged. `parsed` are Python files that were parsed for a call graph."""

    matches: Sequence[Match]
    inventory: Inventory
    profile: ExecutionProfile
    tree: Tree
    driven: bool
    settings: Settings
    parsed: dict[str, ModuleFacts | None] = field(default_factory=dict)


def _verdicts(run: _Run, gatherer: "_Gatherer") -> tuple[Verdict, ...]:
    """Judge for the packages as found, and as if what makes any object were mended."""
    plain = decide_all(gatherer.cases(run.matches), run.settings)
    assumptions = makers.assumed(run.matches, plain)
    if not assumptions:
        return plain
    names = frozenset(one.maker.name for one in assumptions)
    mended = replace(run, tree=run.tree.with_mended(names))
    other = decide_all(_gatherer(mended, None).cases(run.matches), run.settings)
    return tuple(makers.merged(run.matches, (plain, other), assumptions))


def _gatherer(run: _Run, loadable: Loadable | None) -> "_Gatherer":
    """Look at one state of the image's packages, as found or partly mended."""
    tree, settings, inventory = run.tree, run.settings, run.inventory
    ran, known = outside.find(tree, run.profile), Copies(tree, inventory)
    moved = outside.with_moved(run.profile, ran)
    if loadable is None:
        loadable = _overlay(moved, known, tree=tree, settings=settings)
    gaps = (*loadable.gaps, *ran.gaps)
    observation = weigh(
        run.profile, driven=run.driven, settings=settings, inconsistencies=gaps
    )
    profile = known.with_copied(moved)
    calling = Calling(
        tree,
        profile,
        loadable,
        owned=frozenset(path for one in inventory.packages for path in one.files),
        arguments=settings.arguments,
        parsed=run.parsed,
    )
    return _Gatherer(
        ownership=Ownership(tree, profile, inventory),
        proofs=Proofs(tree, profile, loadable, calling=calling),
        loadable=loadable,
        observation=observation,
        data=Data(tree, loaded_files(profile), loadable),
        linked=Linked(tree, loaded_files(profile), loadable),
        settings=settings,
        arguments=tuple(one.arguments for one in profile.processes),
    )


def explain(verdict: Verdict) -> tuple[str, ...]:
    """Return the whole chain of one verdict as lines for a terminal."""
    return tuple(explaining.explain(verdict))


@dataclass(frozen=True, slots=True)
class _Gatherer:
    """Everything that facts are gathered from, for one image and one run."""

    ownership: Ownership
    proofs: Proofs
    loadable: Loadable
    observation: Observation
    data: Data
    linked: Linked
    settings: Settings
    arguments: tuple[tuple[str, ...], ...]
    readers: dict[str, str] = field(default_factory=dict)

    def cases(self, matches: Sequence[Match]) -> Iterator[tuple[Match, Facts]]:
        known = self._known(match.package for match in matches)
        facts: dict[int, Facts] = {}
        for match in matches:
            key = id(match.package)
            if key not in facts:
                facts[key] = self._facts(match.package, known[key])
            own = replace(
                facts[key],
                symbols=self.proofs.look_up(match, known[key]),
                preconditions=tuple(self._preconditions(match)),
            )
            yield match, own

    def grounds(self, inventory: Inventory, profile: ExecutionProfile) -> Iterator[Ground]:
        """Yield what stays of every installed package."""
        known = self._known(inventory.packages)
        owners = owning.index_owners(inventory)
        calls: dict[str, list[FunctionCall]] = defaultdict(list)
        for call in profile.functions:
            calls[call.path].append(call)
        for package in inventory.packages:
            owned = known[id(package)]
            yield grounds.ground(
                package,
                self._facts(package, owned),
                calls=[one for path in sorted(owned.files) for one in calls.get(path, ())],
                owner=owning.distribution_owner(package, owners),
            )

    def _known(self, asked: Iterable[Package]) -> dict[int, Owned]:
        """Look packages up, each once; remember who could read those of data."""
        known: dict[int, Owned] = {}
        unread: dict[str, frozenset[str]] = {}
        for package in asked:
            key = id(package)
            if key not in known:
                known[key] = self.ownership.look_up(package)
                if known[key].data_only and not known[key].accesses:
                    unread[package.purl] = known[key].files
        self.readers.update(self.data.readers(unread))
        return known

    def _facts(self, package: Package, owned: Owned) -> Facts:
        """Gather what is the same for every vulnerability of the package."""
        found, count = chains.chains(self.loadable, owned.files, limit=CHAINS_MAX)
        linkage = self.linked.look_up(package, owned.files)
        return Facts(
            observation=self.observation,
            presence=owned.presence,
            presence_detail=owned.detail,
            kernel=packages.is_kernel(package),
            data_only=owned.data_only,
            accesses=owned.accesses,
            chains=found,
            chain_count=count,
            unfollowed=chains.covering(self.loadable, package, owned.files),
            served=tuple(
                one.path
                for one in owned.accesses
                if one.access is Access.DATA and packages.is_served(one.path)
            ),
            payload=tuple(
                one.path
                for one in owned.accesses
                if one.access is Access.DATA
                and package.embedded_in is None
                and packages.is_payload(package, one.path)
            ),
            reader=self.readers.get(package.purl, ""),
            linked=linkage.doubt,
            unlinked=linkage.proof,
            file_count=len(owned.files),
            embedded_in=package.embedded_in,
        )

    def _preconditions(self, match: Match) -> Iterator[str]:
        """Yield what is known of what a hole further needs; it decides nothing."""
        wanted = [one for symbol in match.symbols for one in symbol.preconditions]
        for one in dict.fromkeys(wanted):
            found = preconditions.check(
                one,
                self.arguments,
                self.settings.environment,
                platform=self.settings.platform,
            )
            yield preconditions.statement(one, found)


def _overlay(
    profile: ExecutionProfile, known: Copies, *, tree: Tree, settings: Settings
) -> Loadable:
    found = Closure(tree, profile).compute(settings.arguments)
    return known.with_loadable(found)


def _tree(root: Root, settings: Settings, inventory: Inventory) -> Tree:
    tree = Tree(root, Surroundings(settings.environment, settings.working_directory))
    tree.distributed = copies.distributed_files(tree, inventory)
    return tree
