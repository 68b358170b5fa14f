"""A process that spends until it is killed, and says what it was told."""

import asyncio
from multiprocessing.connection import Connection
from uuid import UUID

from tests.billing.spending.spenders import CHARGED, a_hold, a_settle
from vexxy.billing.spending.service import Combiner
from vexxy.kit.db import Role
from vexxy.kit.writes import Writes

CLIENTS = 32


def main(url: str, organization_id: UUID, said: Connection) -> None:
    asyncio.run(_spend(url, organization_id, said))


async def _spend(url: str, organization_id: UUID, said: Connection) -> None:
    combiner = Combiner(Writes(url, role=Role.SYSTEM))

    async def client(number: int) -> None:
        while True:
            hold = a_hold()
            said.send(("asks", hold.key))
            await combiner.spend(organization_id, hold)
            said.send(("held", hold.key))
            await combiner.spend(organization_id, a_settle(hold, CHARGED - number % 3))
            said.send(("settled", hold.key))

    await asyncio.gather(*map(client, range(CLIENTS)))
