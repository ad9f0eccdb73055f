"""One transaction of the national interface as fields by name: envelope, input, output, in the spellings seen in use.

It reads and converts; what a transaction means is national_mapping.py. Only fields that are asked for are ever taken:
names, certificate numbers, phones and addresses are asked for by nobody.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from re import compile as pattern
from typing import Any

from connectors.amounts import AmountProfile, scaled, yuan_to_fen
from connectors.field_checks import YEAR_MAX, YEAR_MIN, text
from connectors.refusals import Refused
from risk.facts import Fact
from risk.facts.base import WHOLE_MAX
from risk.local_time import SHANGHAI

Making = Callable[[], Fact]
"""Makes one fact of a message, or raises Refused."""

SPELLINGS: dict[str, tuple[str, ...]] = {
    "psn_cash_pay": ("psn_cash_pay", "pdn_cash_pay"),
    "dr_code": (
        *("dr_code", "dr_codg", "atddr_no", "bilg_dr_codg", "dise_dor_no"),
        *("atddr_code", "chfpdr_code", "prsc_dr_codg", "prsc_dr_code", "orders_dr_code"),
    ),
    "dept_code": ("dept_code", "adm_dept_codg", "bilg_dept_codg", "dept_codg", "diag_dept", "dscg_dept_codg"),
    "mdtrtarea_admvs": ("mdtrtarea_admvs", "mdtrtarea_admdvs"),
    "insuplc_admdvs": ("insuplc_admdvs", "insuplc_admvs"),
    "fixmedins_code": ("fixmedins_code", "medins_code"),
    "diag_code": ("diag_code", "dscg_maindiag_code", "dise_codg", "dise_code"),
    "drug_trac_codg": ("drug_trac_codg", "drugtracinfo"),
    "omsgid": ("omsgid", "orig_msgid"),
    "phar_code": ("phar_code", "phar_codg"),
    "orders_dr_code": ("orders_dr_code", "acord_dr_code", "acord_dr_codg"),
    "oinfno": ("oinfno", "orig_infno"),
}
"""Our name → the spellings real systems send, the interface's own first (domain.md 2.3)."""

_TIME_FORM = pattern(
    r"(\d{4})[-/]?(\d\d)[-/]?(\d\d)(?:[T ]?(\d\d):?(\d\d)(?::?(\d\d))?(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?"
)


class Fields:
    """Blocks of one message, the nearest first: a name is looked up in each until one holds a value."""

    __slots__ = ("blocks",)

    def __init__(self, *blocks: dict[str, Any]) -> None:
        self.blocks = blocks

    def raw(self, name: str) -> object:
        """The value as sent, under any of its spellings; None if absent, null or blank."""
        for block in self.blocks:
            for spelling in SPELLINGS.get(name, (name,)):
                value = block.get(spelling)
                if value is not None and not (isinstance(value, str) and not value.strip()):
                    return value
        return None

    def text(self, name: str) -> str | None:
        """An identifier or code; a whole number is read as its digits."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        return text(name, value.strip() if isinstance(value, str) else value)

    def text_as_sent(self, name: str) -> str | None:
        """Like `text`, but a blank that was sent stays: a present and empty code is a finding (Q01, Q02)."""
        found = self.text(name)
        if found is None and any(
            isinstance(block.get(spelling), str) for block in self.blocks for spelling in SPELLINGS.get(name, (name,))
        ):
            return ""
        return found

    def required(self, name: str) -> str:
        """An identifier that the fact cannot do without."""
        value = self.text(name)
        if value is None:
            raise Refused("MISSING_FIELD", name)
        return value

    def fen(self, name: str) -> int | None:
        """An amount in yuan as fen."""
        value = self.raw(name)
        return None if value is None else yuan_to_fen(value, name)

    def fen_required(self, name: str) -> int:
        """An amount that the fact cannot do without."""
        value = self.fen(name)
        if value is None:
            raise Refused("MISSING_FIELD", name)
        return value

    def scaled(self, name: str, places: int, *, signed: bool = False, most: int = WHOLE_MAX) -> int | None:
        """A decimal number times 10**places, exactly."""
        value = self.raw(name)
        number = None if value is None else scaled(value, places, name, most)
        if number is not None and number < 0 and not signed:
            raise Refused("NUMBER_NEGATIVE", name)
        return number

    def instant(self, *names: str) -> datetime | None:
        """The first of these times that is there."""
        for name in names:
            value = self.raw(name)
            if value is not None:
                return national_instant(value, name)
        return None


def national_instant(value: object, name: str) -> datetime:
    """A national time: `yyyy-MM-dd HH:mm:ss` and its relatives; without an offset it is Shanghai's."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    match = _TIME_FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise Refused("TIME_UNREADABLE", name)
    year, month, day, hour, minute, second, fraction, zone = match.groups(default="")
    milliseconds = int((fraction + "000")[:3])
    if not YEAR_MIN <= int(year) <= YEAR_MAX:
        raise Refused("TIME_OUT_OF_RANGE", name, f"{YEAR_MIN} - {YEAR_MAX}")
    try:
        clock = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
        zoned = datetime.fromisoformat(f"{clock.isoformat()}{zone}") if zone else clock.replace(tzinfo=SHANGHAI)
    except ValueError:
        raise Refused("TIME_UNREADABLE", name) from None
    return zoned.replace(microsecond=milliseconds * 1000)


class Message:
    """One transaction: the request envelope, its input, and what the platform answered."""

    __slots__ = ("envelope", "infno", "input", "msgid", "output", "profile", "psn_no", "source")

    def __init__(self, record: dict[str, Any], source: str) -> None:
        self.envelope = Fields(record)
        self.input = Fields(*_blocks(record.get("input")))
        self.output = Fields(*_blocks(record.get("output")))
        self.source = source
        self.profile = AmountProfile()
        self.infno = self.envelope.required("infno")
        self.msgid = self.envelope.required("msgid")
        self.psn_no = ""

    @property
    def both(self) -> Fields:
        """Input first, then output."""
        return Fields(*self.input.blocks, *self.output.blocks)

    @property
    def answered(self) -> Fields:
        """Output first, then input: a settlement is what the platform computed."""
        return Fields(*self.output.blocks, *self.input.blocks)

    def succeeded(self) -> bool:
        """Whether the platform answered, and with success."""
        code = self.envelope.raw("infcode")
        if isinstance(code, bool) or not isinstance(code, int | str | Decimal):
            return False
        return str(code).strip().strip("0") == ""

    def lines(self, side: Fields, *names: str) -> Sequence[dict[str, Any]]:
        """The first list of objects among the named blocks."""
        for block in side.blocks:
            for name in names:
                found = block.get(name)
                if isinstance(found, list):
                    return [each for each in found if isinstance(each, dict)]
                if isinstance(found, dict):
                    return [found]
        return []


def _blocks(body: object) -> Iterator[dict[str, Any]]:
    """The body itself, then the objects inside it (`data`, `mdtrtinfo`, `setlinfo`, `result` ...), in their order.

    Systems differ in how they wrap one and the same block; the field names inside do not collide. Of a list its first
    object counts (`diseinfo`: the main diagnosis comes first).
    """
    if isinstance(body, list):
        body = next((each for each in body if isinstance(each, dict)), None)
    if not isinstance(body, dict):
        return
    yield body
    for value in body.values():
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict):
            yield first


def head(message: Message, fields: Fields, *times: str, n: int = 0) -> dict[str, Any]:
    """What every fact of a message carries: its id, whose, and when: the first of `times`, else when sent."""
    instant = fields.instant(*times) or message.envelope.instant("inf_time")
    if instant is None:
        raise Refused("MISSING_FIELD", "inf_time")
    return {
        "event_id": f"{message.infno}:{message.msgid}:{n}",
        "occurred_at": instant,
        "psn_no": message.psn_no,
        "source": message.source,
    }


def institution(message: Message) -> dict[str, Any]:
    """The sender's code as sent, even a blank one (Q01), and its type: 210x are pharmacies', else the first letter."""
    code = message.envelope.text_as_sent("fixmedins_code")
    if code is None:
        code = message.both.text("fixmedins_code")
    if code is None:
        raise Refused("MISSING_FIELD", "fixmedins_code")
    is_pharmacy = message.infno.startswith("210") or code.startswith("P")
    return {"fixmedins_code": code, "fixmedins_type": "2" if is_pharmacy else "1"}


def told_institution(record: dict[str, Any]) -> object:
    """Whose a message says it is, read as its facts read it; what cannot be read stays as sent, and is nobody's."""
    try:
        return institution(Message(record, ""))["fixmedins_code"]
    except Refused:
        return Fields(record).raw("fixmedins_code")
