"""What a field of a catalog file may say; each kind tells it in words as well."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final, Generic, TypeVar

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)

UNLIMITED: Final = "unlimited"
WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
CURRENCY: Final = re.compile(r"[a-z]{3}")
# ISO 4217: these have no hundredths, or thousandths as well.
NOT_IN_HUNDREDTHS: Final = re.compile(
    "bif|clp|djf|gnf|jpy|kmf|krw|mga|pyg|rwf|ugx|uyi|vnd|vuv|xaf|xof|xpf"
    "|bhd|iqd|jod|kwd|lyd|omr|tnd"
)
NAME_CHARACTERS_MAX: Final = 100
PERCENT_MAX: Final = 1000
QUANTITY_MAX: Final = Decimal(10**15)
QUANTITY_DECIMALS_MAX: Final = 4
PRICE_MAX: Final = Decimal(10**6)
# As many as Stripe takes in a unit price.
PRICE_DECIMALS_MAX: Final = 12
SHOWN_CHARACTERS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a field takes.

    Attributes:
        allowed: In words.
        read: Returns the value, or raises ValueError.
    """

    allowed: str
    read: Callable[[object], T]


@dataclass(slots=True)
class Table:
    """One table of the file, taken apart field by field.

    Attributes:
        place: Where it stands, in words, such as `plan starter: `.
        taken: The fields that were asked for; any other is unknown.
    """

    place: str
    values: Mapping[str, object]
    taken: set[str] = field(default_factory=set)

    def take(self, name: str, kind: Kind[T]) -> T:
        """Return the value of a field that has to be there.

        Raises:
            ValueError: It is missing or not of the kind; tells the place.
        """
        self.taken.add(name)
        if name not in self.values:
            raise ValueError(f"{self.place}{name}: missing; allowed: {kind.allowed}")
        return self._read(name, kind)

    def take_or(self, name: str, kind: Kind[T], *, default: T) -> T:
        """Return the value of a field, or the default where there is none.

        Raises:
            ValueError: It is not of the kind; tells the place.
        """
        self.taken.add(name)
        return self._read(name, kind) if name in self.values else default

    def end(self) -> None:
        """Refuse fields that were never asked for.

        Raises:
            ValueError: There is one; tells the place and what there could be.
        """
        for name in self.values:
            if name not in self.taken:
                known = ", ".join(sorted(self.taken))
                raise ValueError(f"{self.place}{name}: unknown field; allowed: {known}")

    def _read(self, name: str, kind: Kind[T]) -> T:
        value = self.values[name]
        try:
            return kind.read(value)
        except ValueError:
            raise ValueError(
                f"{self.place}{name}: {_shown(value)} is not allowed;"
                f" allowed: {kind.allowed}"
            ) from None


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    said = repr(value)
    if len(said) > SHOWN_CHARACTERS_MAX:
        said = said[:SHOWN_CHARACTERS_MAX] + "…"
    return said


def whole(low: int, high: int) -> Kind[int]:
    """Take a whole number in a range."""

    def read(value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError
        return value

    return Kind(f"a whole number from {low} to {high}", read)


def limit(high: int) -> Kind[int | None]:
    """Take a whole number, or the word for none; None stands for it."""
    number = whole(0, high)

    def read(value: object) -> int | None:
        return None if value == UNLIMITED else number.read(value)

    return Kind(f'{number.allowed}, or "{UNLIMITED}"', read)


def _decimal(value: object, *, most: Decimal, decimals_max: int) -> Decimal:
    if type(value) is not int and not isinstance(value, Decimal):
        raise ValueError
    number = Decimal(value)
    if not number.is_finite() or not 0 <= number <= most:
        raise ValueError
    exponent = number.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -decimals_max:
        raise ValueError
    return number


def _read_quantity(value: object) -> Decimal | None:
    if value == UNLIMITED:
        return None
    return _decimal(value, most=QUANTITY_MAX, decimals_max=QUANTITY_DECIMALS_MAX)


def _read_price(value: object) -> Decimal:
    return _decimal(value, most=PRICE_MAX, decimals_max=PRICE_DECIMALS_MAX)


def _read_word(value: object) -> str:
    if not isinstance(value, str) or WORD.fullmatch(value) is None:
        raise ValueError
    return value


def _read_name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= NAME_CHARACTERS_MAX:
        raise ValueError
    return value.strip()


def _read_currency(value: object) -> str:
    if not isinstance(value, str) or CURRENCY.fullmatch(value) is None:
        raise ValueError
    if NOT_IN_HUNDREDTHS.fullmatch(value) is not None:
        raise ValueError
    return value


def _read_words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004  one kind of failure for every kind of field
    words = tuple(_read_word(one) for one in value)
    if len(set(words)) != len(words):
        raise ValueError
    return words


def _read_percents(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004  as above
    one = whole(1, PERCENT_MAX)
    found = tuple(one.read(item) for item in value)
    if any(a >= b for a, b in pairwise(found)):
        raise ValueError
    return found


def _read_table(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004  as above
    return value


def _read_filled(value: object) -> Mapping[str, object]:
    if not _read_table(value):
        raise ValueError
    return _read_table(value)


def choice(words: type[Word]) -> Kind[Word]:
    """Take one of these words."""

    def read(value: object) -> Word:
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004  as above
        return words(value)

    return Kind(" or ".join(f'"{word}"' for word in words), read)


def one_of(words: Collection[str]) -> Kind[str]:
    """Take one of the names that stand elsewhere in the file."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError
        return value

    return Kind(", ".join(f'"{word}"' for word in words), read)


WORD_KIND: Final = Kind("a word of a-z, 0-9 and _, at most 63, a letter first", _read_word)
WORDS: Final = Kind("a list of different words of a-z, 0-9 and _", _read_words)
NAME: Final = Kind(f"a text of 1 to {NAME_CHARACTERS_MAX} characters", _read_name)
CURRENCY_KIND: Final = Kind(
    "three lower-case letters of ISO 4217, of a currency with hundredths, such as"
    ' "usd" or "eur"',
    _read_currency,
)
QUANTITY: Final = Kind(
    f"a number from 0 to 10^15 with at most {QUANTITY_DECIMALS_MAX} decimals, or"
    f' "{UNLIMITED}"',
    _read_quantity,
)
PRICE: Final = Kind(
    f"a number from 0 to {PRICE_MAX} with at most {PRICE_DECIMALS_MAX} decimals",
    _read_price,
)
PERCENTS: Final = Kind(
    f"a list of whole numbers from 1 to {PERCENT_MAX} in rising order", _read_percents
)
TABLE: Final = Kind("a table", _read_table)
FILLED: Final = Kind("a table that is not empty", _read_filled)
