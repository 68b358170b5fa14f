"""Values of variables that were given as secrets, kept out of what is shown.

An image may print its variables or put them into the arguments of a program. What is
decided from an observation reads it whole; what is written down names the variable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from vexxy.analysis.types import Observation, ScriptOutcome

# Shorter ones cannot be told from words of an ordinary text.
CHARACTERS_MIN: Final = 6
# A key of several lines is printed line by line, behind the names of programs.
LINE_CHARACTERS_MIN: Final = 16


@dataclass(frozen=True)
class Hider:
    """Names variables where their values stand.

    Attributes:
        environment: The variables as they were submitted.
    """

    environment: Mapping[str, str]

    @cached_property
    def _names(self) -> tuple[tuple[str, str], ...]:
        found: dict[str, str] = {}
        for name, value in self.environment.items():
            lines = (line.strip() for line in value.splitlines())
            parts = (part for part in lines if len(part) >= LINE_CHARACTERS_MIN)
            for part in (value, value.strip(), *parts):
                if len(part) >= CHARACTERS_MIN:
                    found.setdefault(part, f"[{name}]")
        # The longest first: one value may be the beginning of another.
        return tuple(sorted(found.items(), key=lambda item: -len(item[0])))

    def text(self, text: str) -> str:
        """Return the text with the variable's name in the place of each value."""
        for value, name in self._names:
            text = text.replace(value, name)
        return text

    def _texts(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(self.text, texts))

    def script(self, script: ScriptOutcome | None) -> ScriptOutcome | None:
        """Return what came of a script, fit to be shown."""
        return None if script is None else replace(script, output=self.text(script.output))

    def observation(self, observation: Observation) -> Observation:
        """Return the observation fit to be shown; equal to it where nothing was hidden."""
        if not self._names:
            return observation
        profile = observation.profile
        processes = tuple(
            replace(one, arguments=self._texts(one.arguments)) for one in profile.processes
        )
        return replace(
            observation,
            profile=replace(profile, processes=processes),
            script=self.script(observation.script),
            relaxations=self._texts(observation.relaxations),
            warnings=self._texts(observation.warnings),
            container_log=self.text(observation.container_log),
        )
