"""Reading one TOML value strictly: every key is asked for, what is left over is an error, and nothing is a float."""

from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from string import Formatter
from typing import Any

from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from risk.terms import PolicyError

MOST = 10**15  # ten trillion yuan in fen; far below 2^53, so every reader of JSON agrees on it
UNITS_MS = {"days": DAY_MS, "hours": HOUR_MS, "minutes": MINUTE_MS, "seconds": SECOND_MS, "ms": 1}


class FloatText(str):
    """A number with a fraction or exponent, kept as written so that the error can show it."""

    __slots__ = ()


def shown(content: object) -> str:
    """A value as an error message shows it."""
    match content:
        case FloatText():
            return f"the float {content!s}"
        case bool():
            return str(content).lower()
        case dict():
            return "a table"
        case list():
            return "a list"
        case date():
            return f"the date {content}"
    text = repr(content)
    return text if len(text) <= 60 else f"{text[:57]}..."


def near(name: str, known: Sequence[str]) -> str:
    """A hint for a misspelt name; H6 is H06 before it is H16."""
    padded = f"{name[:1]}{name[1:]:0>2}".upper()
    if padded in known:
        return f'did you mean "{padded}"?'
    found = get_close_matches(name, known, n=1)
    return f'did you mean "{found[0]}"?' if found else f"known: {', '.join(sorted(set(known))) or 'none'}."


def read_integer(content: object, where: str, *, least: int = 0, most: int = MOST) -> int:
    """A whole number within bounds."""
    if type(content) is not int:
        raise PolicyError(
            f"{where} is {shown(content)}. Numbers here are whole, so that a decision can be repeated to the fen. "
            f"Write a whole number of the unit in the name."
        )
    if not least <= content <= most:
        raise PolicyError(
            f"{where} is {shown(content)}. It has no meaning outside {least} to {most}. Write a number within."
        )
    return content


def read_text(content: object, where: str, *, choices: Sequence[str] | None = None) -> str:
    """A non-empty string without outer blanks, possibly one of a few."""
    if not isinstance(content, str) or isinstance(content, FloatText):
        raise PolicyError(f"{where} is {shown(content)}. It must be text. Write it in quotes.")
    if not content or content != content.strip():
        raise PolicyError(f"{where} is {shown(content)}. Text must not be empty nor begin or end with blanks. Trim it.")
    if choices is not None and content not in choices:
        raise PolicyError(
            f"{where} is {shown(content)}. Only {', '.join(choices)} have a meaning here. Choose one of them."
        )
    return content


def read_texts(
    content: object, where: str, *, choices: Sequence[str] | None = None, empty: bool = False
) -> tuple[str, ...]:
    """A list of distinct strings."""
    if not isinstance(content, list) or not (content or empty):
        raise PolicyError(f'{where} is {shown(content)}. It must be a list of text. Write ["..."].')
    texts = tuple(read_text(item, f"{where}[{place}]", choices=choices) for place, item in enumerate(content))
    refuse_repeats(texts, where)
    return texts


def refuse_repeats(keys: Sequence[object], where: str) -> None:
    """One key, one row: a second one would hide the first."""
    seen: set[object] = set()
    for place, key in enumerate(keys):
        if key in seen:
            raise PolicyError(f"{where}[{place}] repeats {key}. One row would hide the other. Remove one.")
        seen.add(key)


def refuse_hidden(rows: Sequence[tuple[str, ...]], where: str) -> None:
    """Of the first row whose prefix fits it is said what to do: a narrower one behind it would never be asked."""
    for place, prefixes in enumerate(rows):
        before = tuple(each for earlier in rows[:place] for each in earlier)
        for prefix in prefixes:
            if prefix.startswith(before):
                raise PolicyError(
                    f"{where} has {prefix} behind a row with a shorter prefix of it, which would speak for it. "
                    f"Put the row with {prefix} first."
                )


def read_flag(content: object, where: str) -> bool:
    """True or false."""
    if not isinstance(content, bool):
        raise PolicyError(f"{where} is {shown(content)}. It is a switch. Write true or false.")
    return content


def read_date(content: object, where: str) -> date:
    """A calendar date, not a moment."""
    if type(content) is not date:
        raise PolicyError(f"{where} is {shown(content)}. It must be a date. Write it bare, e.g. 2024-05-01.")
    return content


def read_duration_ms(content: object, where: str) -> int:
    """A length of time, written as one unit: { minutes = 30 }."""
    if not isinstance(content, dict) or len(content) != 1 or not content.keys() <= UNITS_MS.keys():
        raise PolicyError(
            f"{where} is {shown(content)}. A length of time names its unit, so that nobody counts zeros. "
            f"Write one of {', '.join(f'{{ {unit} = n }}' for unit in UNITS_MS)}."
        )
    ((unit, count),) = content.items()
    return read_integer(count, f"{where}.{unit}", most=MOST // UNITS_MS[unit]) * UNITS_MS[unit]


FILLED_IN = ("observed", "allowed", "observed_yuan", "allowed_yuan")


def read_sentence(content: object, where: str) -> str:
    """What people read, with {observed} and {allowed} for the two numbers, or both as yuan where they are fen."""
    text = read_text(content, where)
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as cause:
        raise PolicyError(f"{where} has a stray brace ({cause}). Write {{{{ for a brace that is meant.") from None
    for _, name, specification, conversion in pieces:
        if name is not None and (name not in FILLED_IN or specification or conversion):
            raise PolicyError(
                f"{where} asks for {{{name}}}. Only {', '.join(f'{{{each}}}' for each in FILLED_IN)} are filled in. "
                f"Use those, plain."
            )
    return text


class Table:
    """One TOML table being read; `finish` refuses what nobody asked for."""

    def __init__(self, content: object, where: str) -> None:
        if not isinstance(content, dict):
            raise PolicyError(f"{where} is {shown(content)}. It must be a table. Write key = value pairs in it.")
        self.where = where
        self._left: dict[str, Any] = dict(content)
        self._asked: list[str] = []

    def has(self, key: str) -> bool:
        """Is an optional key there?"""
        self._asked.append(key)
        return key in self._left

    def take(self, key: str) -> Any:
        """The content of a required key, as TOML gave it."""
        self._asked.append(key)
        if key not in self._left:
            written = get_close_matches(key, self._left, n=1)
            hint = f'Is "{written[0]}" meant for it? Correct the name.' if written else f"Add {key} = ..."
            raise PolicyError(f"{self.where} lacks {key}. It cannot be guessed. {hint}")
        return self._left.pop(key)

    def place(self, key: str) -> str:
        """Where a key stands, for messages."""
        return f"{self.where}.{key}"

    def integer(self, key: str, *, least: int = 0, most: int = MOST) -> int:
        """A required whole number."""
        return read_integer(self.take(key), self.place(key), least=least, most=most)

    def text(self, key: str, *, choices: Sequence[str] | None = None) -> str:
        """A required string."""
        return read_text(self.take(key), self.place(key), choices=choices)

    def sentence(self, key: str) -> str:
        """A required message template."""
        return read_sentence(self.take(key), self.place(key))

    def rows(self, key: str) -> list["Table"]:
        """A required, non-empty list of tables."""
        return read_rows(self.take(key), self.place(key))

    def duration_ms(self, stem: str) -> int:
        """A required length of time, written with its unit: `window_days = 30`."""
        names = [f"{stem}_{unit}" for unit in UNITS_MS]
        present = [name for name in names if self.has(name)]
        if len(present) != 1:
            raise PolicyError(f"{self.where} needs exactly one of {', '.join(names)}. Windows name their unit.")
        unit_ms = UNITS_MS[present[0].removeprefix(f"{stem}_")]
        return self.integer(present[0], least=1, most=MOST // unit_ms) * unit_ms

    def finish(self) -> None:
        """Refuse keys that nothing reads."""
        for key in self._left:
            raise PolicyError(
                f"{self.where} has the unknown key {key}. A key nothing reads is a rule nobody applies. "
                f"Correct or remove it: {near(key, self._asked)}"
            )


def read_rows(content: object, where: str) -> list[Table]:
    """A non-empty list of tables."""
    if not isinstance(content, list) or not content:
        raise PolicyError(f"{where} is {shown(content)}. It must be a list of rows. Write [ {{ ... }}, ... ].")
    return [Table(row, f"{where}[{place}]") for place, row in enumerate(content)]
