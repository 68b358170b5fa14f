"""What a Go function does with addresses of types, in machine code made for the test."""

from typing import Final

import pytest

from vexxy.reachability.wire import goflow
from vexxy.tracer.functions.native.wire import elf

START: Final = 0x1000
TYPE: Final = 0x9000
GUARDED: Final = 0x5000
OTHER: Final = 0x6000
RETURN: Final = b"\xc3"


def _relative(code: bytes, opcode: bytes, target: int) -> bytes:
    """Append an instruction whose last four bytes lead to an address."""
    end = START + len(code) + len(opcode) + 4
    return code + opcode + (target - end).to_bytes(4, "little", signed=True)


def _take(code: bytes = b"") -> bytes:
    return _relative(code, b"\x48\x8d\x0d", TYPE)  # lea rcx, [type]


def _guarded(jump: bytes) -> bytes:
    """Compare with the type; call one function behind the jump, another at its target."""
    code = _take() + b"\x48\x39\xc8"  # cmp rax, rcx
    code += jump + b"\x06"
    code = _relative(code, b"\xe8", GUARDED) + RETURN
    code += b"\x31\xc9"  # xor ecx, ecx
    return _relative(code, b"\xe8", OTHER) + RETURN


def _used(code: bytes, *, is_alive: bool) -> goflow.Used:
    segment = elf.Segment(START, 0, len(code), executable=True)
    image = elf.Image(code, elf.X86_64, (segment,), (), ())
    function = goflow.decode(image, START, START + len(code))
    assert function is not None
    return function.used({TYPE}, lambda _: is_alive, lambda _target, _register: "write")


def test_what_a_test_for_a_living_type_guards_can_run() -> None:
    used = _used(_guarded(b"\x75"), is_alive=True)

    assert used.targets >= {GUARDED, OTHER}
    assert not used.waits_for


def test_what_a_test_for_a_type_without_values_guards_cannot_run() -> None:
    used = _used(_guarded(b"\x75"), is_alive=False)  # jne

    assert OTHER in used.targets
    assert GUARDED not in used.targets
    assert used.waits_for == {TYPE}


def test_two_addresses_that_were_made_here_may_be_equal() -> None:
    code = _relative(_take(), b"\x48\x8d\x05", TYPE)  # lea rax, [type]
    code += b"\x48\x39\xc8\x75\x06"  # cmp rax, rcx; jne
    code = _relative(code, b"\xe8", GUARDED) + RETURN + RETURN

    assert _used(code, is_alive=False).targets >= {GUARDED, TYPE}


def test_the_other_branch_is_guarded_by_the_opposite_jump() -> None:
    used = _used(_guarded(b"\x74"), is_alive=False)  # je

    assert GUARDED in used.targets
    assert OTHER not in used.targets


def test_a_jump_on_another_condition_guards_nothing() -> None:
    used = _used(_guarded(b"\x77"), is_alive=False)  # ja

    assert used.targets >= {GUARDED, OTHER}


@pytest.mark.parametrize(
    "use",
    [
        b"\x48\x89\x0c\x24",  # mov [rsp], rcx
        b"\x48\x89\xca",  # mov rdx, rcx
        b"\x48\x8b\x09",  # mov rcx, [rcx]
        b"\x48\x0f\x44\xc1",  # cmove rax, rcx
        b"\x48\x87\xc8",  # xchg rax, rcx
        b"\x51",  # push rcx
    ],
)
def test_an_address_that_is_not_only_compared_is_used(use: bytes) -> None:
    assert TYPE in _used(_take() + use + RETURN, is_alive=False).targets


@pytest.mark.parametrize("write", [b"\x31\xc9", b"\x48\x89\xc1", b"\x8b\x08"])
def test_an_address_that_is_overwritten_is_not_used(write: bytes) -> None:
    assert TYPE not in _used(_take() + write + RETURN, is_alive=False).targets


def test_a_partial_write_does_not_overwrite() -> None:
    code = _take() + b"\xb1\x01" + RETURN  # mov cl, 1

    assert TYPE in _used(code, is_alive=False).targets


def test_an_address_that_a_function_returns_with_is_used() -> None:
    assert TYPE in _used(_take() + RETURN, is_alive=False).targets


def test_code_that_cannot_be_decoded_is_not_understood() -> None:
    segment = elf.Segment(START, 0, 2, executable=True)
    image = elf.Image(b"\x06\x06", elf.X86_64, (segment,), (), ())

    assert goflow.decode(image, START, START + 2) is None


@pytest.mark.parametrize(
    ("code", "is_call"),
    [
        ("488b8880000000ffd1", True),  # mov rcx, [rax+0x80]; call rcx
        ("488b888000000048894c2408488b542408ffd2", True),  # kept on the stack meanwhile
        ("488b88800000004889ca31c9ffd2", True),  # moved
        ("488b8880000000488b0931c9ffd1", False),  # read through
        ("488b8880000000488b4810ffd1", False),  # another place is called
        ("488d9080000000488b8880000000ffd1", False),  # of a dictionary
    ],
)
def test_a_call_of_a_method_is_told_from_reading_a_field(
    code: str, *, is_call: bool
) -> None:
    content = bytes.fromhex(code) + RETURN
    segment = elf.Segment(START, 0, len(content), executable=True)
    image = elf.Image(content, elf.X86_64, (segment,), (), ())
    function = goflow.decode(image, START, START + len(content))

    assert function is not None
    assert goflow.calls_slot(function, 0x80) is is_call
