"""The combiner: what waits at the same moment shares one decision and one commit."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from vexxy.audit import service as audit
from vexxy.audit.types import Act
from vexxy.billing.ledger.errors import NoSuchOrganization
from vexxy.billing.ledger.rules import engine
from vexxy.billing.ledger.types import Decision, Kind, Posted, Release, Settle, State
from vexxy.billing.spending import repository
from vexxy.billing.spending.errors import OutcomeUnknown, Stopping, TooManyWaiting
from vexxy.billing.spending.ports import Connection, Source
from vexxy.billing.spending.types import Change, Spend
from vexxy.kit import clock, ids, metrics
from vexxy.kit.errors import Unavailable, VexxyError
from vexxy.kit.writes import Contended, Duplicate, Lost

# Of one commit; a larger one is hardly cheaper a request, and all in it wait for it.
REQUESTS_MAX: Final = 512
# Who comes later is told at once: a queue that long is not worked off within seconds.
WAITING_MAX: Final = 20_000
REQUESTS_MIN: Final = 16
# Under way at once: one is decided while the other is written.
BATCHES_MAX: Final = 2
ATTEMPTS_MAX: Final = 4
# What a process remembers between two batches.
ACCOUNTS_MAX: Final = 4_096
HOLDS_MAX: Final = 1_024


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request and the one who waits for its outcome."""

    request: Spend
    act: Act | None
    outcome: asyncio.Future[Posted]

    def tell(self, answer: Posted | VexxyError) -> None:
        """Give the outcome to the caller, unless they went away."""
        if self.outcome.done():
            return
        if isinstance(answer, VexxyError):
            self.outcome.set_exception(answer)
        else:
            self.outcome.set_result(answer)


@dataclass(slots=True, eq=False)
class _Account:
    """An account as it is when everything that this process sent has been committed.

    Attributes:
        holds: That stand, by key; not all of them.
        last: Tells whether what was decided last has been committed.
    """

    state: State
    holds: OrderedDict[str, Posted] = field(default_factory=OrderedDict)
    last: asyncio.Future[bool] | None = None


@dataclass(slots=True, eq=False)
class _Plan:
    """What was decided upon memory, ahead of what it stands on being committed.

    Attributes:
        before: Tell whether that happened.
        done: Tells those who stand on this one.
    """

    done: asyncio.Future[bool]
    changes: dict[UUID, Change] = field(default_factory=dict)
    before: set[asyncio.Future[bool]] = field(default_factory=set)


_Batch = Mapping[UUID, Sequence[_Waiting]]


class Combiner:
    """Spends of one process; the account's lock in the database decides among several.

    Belongs to the event loop in which it is used first.

    Args:
        source: Connections of the system role.
        now: The clock.
    """

    def __init__(
        self, source: Source, *, now: Callable[[], datetime] = clock.instant
    ) -> None:
        self._source = source
        self._now = now
        self._waiting: OrderedDict[UUID, list[_Waiting]] = OrderedDict()
        self._count = 0
        self._taken_count = 0
        self._running: set[asyncio.Task[None]] = set()
        self._accounts: OrderedDict[UUID, _Account] = OrderedDict()
        # Whose accounts are being read under their lock: how often.
        self._locked: Counter[UUID] = Counter()
        self._woken = False
        self._closed = False

    async def spend(
        self, organization_id: UUID, request: Spend, *, act: Act | None = None
    ) -> Posted:
        """Return the transaction that became of the request, once it is committed.

        The same request again gets the transaction of the first time.

        Args:
            organization_id: Whose credits.
            request: What the ledger shall do.
            act: Recorded in the same commit, if it is done now and not replayed.

        Raises:
            OutcomeUnknown: The connection broke at the wrong moment; ask again.
            TooManyWaiting: Nothing was done.
            Stopping: Nothing was done.
            Unavailable: The database is away or busy; nothing was done.
            VexxyError: The ledger's refusals, as of `ledger.service.post_one`.
        """
        if self._closed:
            raise Stopping
        if self._count >= WAITING_MAX:
            raise TooManyWaiting(self._count)
        outcome: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(request, act, outcome)
        self._waiting.setdefault(organization_id, []).append(waiting)
        self._count += 1
        self._wake()
        return await outcome

    async def close(self) -> None:
        """Take nothing more, and wait until everybody who waits has their outcome."""
        self._closed = True
        while self._running or self._waiting:
            # Whoever is woken meanwhile starts in the next turn of the loop.
            await (asyncio.wait(self._running) if self._running else asyncio.sleep(0))

    def _wake(self) -> None:
        """Look for work after everybody who runs now has had their say."""
        if not self._woken and len(self._running) < BATCHES_MAX:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._woken = False
        batch = self._taken()
        if batch:
            task = asyncio.get_running_loop().create_task(self._serve(batch))
            self._running.add(task)
            task.add_done_callback(self._ended)
            self._wake()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake()

    def _taken(self) -> dict[UUID, list[_Waiting]]:
        """Take a part of what waits, those first that wait longest.

        At most half of all who want something, those under way included: one half is
        decided while the other is written.
        """
        share = (self._count + self._taken_count + 1) // 2
        room = min(REQUESTS_MAX, max(share, REQUESTS_MIN))
        batch: dict[UUID, list[_Waiting]] = {}
        for organization_id in list(self._waiting):
            if not room:
                break
            if organization_id in self._locked:
                continue
            waiting = self._waiting.pop(organization_id)
            batch[organization_id] = waiting[:room]
            if len(waiting) > room:
                # Behind the others: one organization does not keep them waiting.
                self._waiting[organization_id] = waiting[room:]
            room -= len(batch[organization_id])
        size = sum(map(len, batch.values()))
        self._count -= size
        self._taken_count += size
        return batch

    async def _serve(self, batch: _Batch) -> None:
        """Give every caller of the batch an outcome, whatever happens."""
        failure: VexxyError = OutcomeUnknown()
        try:
            rest = await self._by_memory(batch)
            locked = rest.keys()
            self._locked.update(locked)
            try:
                for _ in range(ATTEMPTS_MAX):
                    if not rest:
                        break
                    rest, failure = await self._under_lock(rest)
            finally:
                # Adding nothing drops those that are at zero.
                self._locked.subtract(locked)
                self._locked += Counter()
        except Lost:
            pass
        except Unavailable as error:
            failure = error
        finally:
            for waiting in batch.values():
                for one in waiting:
                    one.tell(failure)
            self._taken_count -= sum(map(len, batch.values()))

    async def _by_memory(self, batch: _Batch) -> _Batch:
        """Decide upon what is remembered; return what that is not good enough for.

        It is written only where the account has not moved, and it only ever says yes:
        a refusal must not stand on what may be old.
        """
        plan = self._planned(batch)
        written: frozenset[UUID] = frozenset()
        try:
            stands = [await one for one in plan.before]
            if plan.changes and all(stands):
                async with self._source.connection() as connection:
                    written = await self._written(connection, plan.changes)
        except (Duplicate, Contended):
            pass
        finally:
            whole = len(written) == len(plan.changes)
            plan.done.set_result(whole)
            if not whole:
                # Whoever decided upon one of them cannot tell which of them it was.
                for one in plan.changes:
                    self._accounts.pop(one, None)
        _tell(batch, {one: plan.changes[one] for one in written})
        return {one: batch[one] for one in batch if one not in written}

    def _planned(self, batch: _Batch) -> _Plan:
        plan = _Plan(asyncio.get_running_loop().create_future())
        for organization_id, waiting in batch.items():
            account = self._accounts.get(organization_id)
            if account is None:
                continue
            named = [_named(one.request) for one in waiting]
            known = {key: account.holds[key] for key in named if key in account.holds}
            change = self._decided(_stand(account.state, known), waiting)
            if any(isinstance(one, VexxyError) for one in change.decision.answers):
                # It goes through the lock, and whatever comes after it as well.
                del self._accounts[organization_id]
                continue
            plan.changes[organization_id] = change
            if account.last is not None and not account.last.done():
                plan.before.add(account.last)
            account.last = plan.done
            _advance(account, change.decision)
            self._accounts.move_to_end(organization_id)
        return plan

    async def _under_lock(self, batch: _Batch) -> tuple[_Batch, VexxyError]:
        """Decide upon what is read under the lock; return what could not be done."""
        keys = {
            organization_id: [
                key for one in waiting for key in {one.request.key, _named(one.request)}
            ]
            for organization_id, waiting in batch.items()
        }
        try:
            async with self._source.connection() as connection, connection.transaction():
                states = await repository.locked(connection, keys)
                changes = {
                    one: self._decided(state, batch[one]) for one, state in states.items()
                }
                await self._written(connection, changes)
        except (Duplicate, Contended) as error:
            return batch, error
        for organization_id, change in changes.items():
            self._remember(organization_id, change.decision)
        _tell(batch, changes)
        for organization_id in batch.keys() - states.keys():
            for one in batch[organization_id]:
                one.tell(NoSuchOrganization(organization_id))
        return {}, OutcomeUnknown()

    def _decided(self, state: State, waiting: Sequence[_Waiting]) -> Change:
        decision = engine.decide(
            state,
            [one.request for one in waiting],
            now=self._now(),
            new_id=ids.new_id,
        )
        return Change(state.sequence, decision, _acts(waiting, decision, state.sequence))

    async def _written(
        self, connection: Connection, changes: Mapping[UUID, Change]
    ) -> frozenset[UUID]:
        acts = audit.rows_json(act for one in changes.values() for act in one.acts)
        return await repository.write(connection, changes, acts=acts, now=self._now())

    def _remember(self, organization_id: UUID, decision: Decision) -> None:
        known = self._accounts.get(organization_id)
        if known is not None and known.state.sequence > decision.state.sequence:
            return
        account = _Account(decision.state)
        _advance(account, decision)
        self._accounts[organization_id] = account
        if len(self._accounts) > ACCOUNTS_MAX:
            self._accounts.popitem(last=False)


def _tell(batch: _Batch, changes: Mapping[UUID, Change]) -> None:
    """Give the callers what is committed now."""
    kinds = Counter(row.kind for one in changes.values() for row in one.decision.rows)
    for kind, number in kinds.items():
        metrics.LEDGER_POSTINGS.count(number, kind=kind)
    for organization_id, change in changes.items():
        answers = change.decision.answers
        for one, answer in zip(batch[organization_id], answers, strict=True):
            one.tell(answer)


def _advance(account: _Account, decision: Decision) -> None:
    """Let the account be what it is after the decision."""
    account.state = decision.state
    resolved = {row.resolves for row in decision.rows if row.resolves is not None}
    for row in decision.rows:
        if row.kind is Kind.HOLD:
            account.holds[row.key] = row
    if resolved:
        ended = [key for key, one in account.holds.items() if one.sequence in resolved]
        for key in ended:
            del account.holds[key]
    while len(account.holds) > HOLDS_MAX:
        account.holds.popitem(last=False)


def _named(request: Spend) -> str:
    """Return the key of the hold that a request is about."""
    return request.hold_key if isinstance(request, Settle | Release) else request.key


def _stand(state: State, by_key: Mapping[str, Posted]) -> State:
    """Return the state with these transactions and the lots that are not used up."""
    lots = {
        lot_id: lot
        for lot_id, lot in state.lots.items()
        if lot.available_credits or lot.held_credits
    }
    return State(
        state.organization_id, state.sequence, state.chain, state.balances, lots, by_key
    )


def _acts(waiting: Iterable[_Waiting], decision: Decision, before: int) -> list[Act]:
    """Return the acts of the requests that are done now, not of replayed ones."""
    acts = []
    told: set[int] = set()
    for one, answer in zip(waiting, decision.answers, strict=True):
        if one.act is None or isinstance(answer, VexxyError):
            continue
        if answer.sequence > before and answer.sequence not in told:
            told.add(answer.sequence)
            acts.append(one.act)
    return acts
