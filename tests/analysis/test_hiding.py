"""Variables that were submitted are secrets, also when the image shouts them."""

from dataclasses import replace

from vexxy.analysis.hiding import Hider
from vexxy.analysis.pipeline import UNOBSERVED
from vexxy.analysis.types import Observation, ScriptOutcome
from vexxy.tracer.types import Process

VALUE = "hunter2-hunter2"
HIDER = Hider({"TOKEN": VALUE, "SHORT": "no", "LONGER": VALUE + "-and-more"})


def observed(*arguments: str, log: str = "", script: str = "") -> Observation:
    process = Process(1, 0, "/bin/app", arguments)
    return Observation(
        "sha256:0",
        replace(UNOBSERVED, processes=(process,)),
        driven=True,
        script=ScriptOutcome(0, script, 1.0),
        relaxations=(f"it wrote {log!r}",),
        container_log=log,
    )


def test_arguments_output_and_reasons_name_the_variable() -> None:
    shown = HIDER.observation(
        observed("app", f"--token={VALUE}", log=f"I am {VALUE}", script=VALUE)
    )

    assert VALUE not in repr(shown)
    assert shown.profile.processes[0].arguments == ("app", "--token=[TOKEN]")
    assert shown.container_log == "I am [TOKEN]"
    assert shown.script == ScriptOutcome(0, "[TOKEN]", 1.0)


def test_a_value_that_begins_with_another_is_hidden_whole() -> None:
    assert HIDER.text(f"x {VALUE}-and-more y") == "x [LONGER] y"


def test_short_values_stay_as_they_could_be_any_word() -> None:
    assert HIDER.text("no") == "no"


def test_a_key_of_several_lines_is_hidden_line_by_line() -> None:
    lines = ["-----BEGIN THE KEY-----", "MIIEvQIBADANBgkqhkiG", "-----END THE KEY-----"]
    hider = Hider({"KEY": "\n".join(lines)})

    assert hider.text("log: MIIEvQIBADANBgkqhkiG\n") == "log: [KEY]\n"


def test_an_observation_without_values_is_left_as_it_is() -> None:
    seen = observed("app", "--verbose", log="ready")

    assert HIDER.observation(seen) == seen
    assert Hider({}).observation(seen) is seen
