"""Two operators that are killed again and again, and begin again as their Deployment would have them."""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.operator.operator_process import Operator

_SETTINGS = {
    "LAMPLIGHTER_LEADER_ELECTION": "true",
    "LAMPLIGHTER_LEASE_DURATION": "4",
    "LAMPLIGHTER_LEASE_RENEW_DEADLINE": "3",
    "LAMPLIGHTER_LEASE_RETRY_PERIOD": "1",
    "LAMPLIGHTER_RESYNC": "86400",  # nothing that was missed is found by chance
    "LAMPLIGHTER_NODE_GRACE": "3",
}


@dataclass
class Replicas:
    """``kills`` counts SIGKILLs, ``ends`` the processes that ended by themselves, as who loses the lease does."""

    operators: list[Operator]
    dice: random.Random
    kills: int = 0
    ends: int = 0
    _dead: set[int] = field(default_factory=set)

    @classmethod
    @contextlib.contextmanager
    def of(cls, kubeconfig: Path, namespace: str, folder: Path, dice: random.Random) -> Iterator["Replicas"]:
        """Two operators for a namespace while inside; they log into the folder."""
        with contextlib.ExitStack() as running:
            operators = []
            for name in ("operator-a", "operator-b"):
                log = folder / f"{name}.log"
                log.unlink(missing_ok=True)
                own = {"POD_NAME": name, "POD_NAMESPACE": namespace}
                operators.append(running.enter_context(Operator(kubeconfig, log, (namespace,), **own, **_SETTINGS)))
            yield cls(operators, dice)

    async def suffer(self, deaths: asyncio.TaskGroup) -> None:
        """Kill one or both at random moments, for ever."""
        while True:
            await asyncio.sleep(self.dice.uniform(2, 16))
            victims = self.operators if self.dice.random() < 0.3 else [self.dice.choice(self.operators)]
            for operator in victims:
                deaths.create_task(self._die(operator, self.dice.uniform(0, 3)))

    async def live(self) -> None:
        """Begin again whoever has ended by itself, for ever."""
        while True:
            await asyncio.sleep(0.5)
            for operator in self.operators:
                if id(operator) not in self._dead and operator.exit_code is not None:
                    self.ends += 1
                    operator.start()

    async def _die(self, operator: Operator, for_seconds: float) -> None:
        if id(operator) in self._dead:
            return
        self._dead.add(id(operator))
        self.kills += 1
        operator.kill()
        await asyncio.sleep(for_seconds)
        operator.start()
        self._dead.discard(id(operator))

    def bugs(self) -> list[str]:
        """What the logs tell of errors that nobody foresaw."""
        lines = [line for operator in self.operators for line in operator.log.splitlines()]
        return [line[:3000] for line in lines if "a bug in Lamplighter" in line or "Traceback" in line]
