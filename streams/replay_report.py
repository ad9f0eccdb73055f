"""What a replay found: which alerts, decisions and orders another policy would have added, dropped or changed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

EXAMPLES = 3
_IDS = {
    "alerts": ("alert_id", "episode"),
    "decisions": ("decision_id",),
    "withholding": ("order_id", "attempt"),
}
_NAMES = {"alerts": "alerts 预警", "decisions": "decisions 决定", "withholding": "orders 扣款指令"}
_WORDS = {"added": "added 新增", "gone": "gone 消失", "changed": "changed 改变"}
Found = tuple[tuple[str, str, str], dict[str, Any]]
"""A kind of difference (topic, change, rule), and whom it concerns."""
_NOT_COMPARED = ("policy_version",)  # of course it is another


def identity_of(topic: str, body: dict[str, Any]) -> str:
    """By what one output is the same output in both folds."""
    return "/".join(str(body.get(name, "")) for name in _IDS[topic])


@dataclass(slots=True)
class Differences:
    """Counts by topic, kind of change and rule, and the first examples of each."""

    policy: str
    instead_of: set[str] = field(default_factory=set)
    records: int = 0
    equal: int = 0
    contributions: int = 0
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str, str], list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether anything would be different."""
        return bool(self.counts)

    def note(self, topic: str, identity: str, before: bytes | None, after: bytes | None) -> None:
        """Compare one output of both folds."""
        if alike(before, after):
            self.equal += 1
            return
        kind, example = difference(topic, identity, before, after)
        self.counts[kind] += 1
        examples = self.examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(example)

    @property
    def notes(self) -> list[tuple[str, str]]:
        """What a reader must know to trust the numbers, as (zh, en)."""
        notes = [
            (
                "事实按原记录：就诊、结算、银行答复不因政策不同而改变",
                "facts are taken as recorded: no visit, bill or bank answer becomes another one",
            )
        ]
        if any(topic == "withholding" for topic, _, _ in self.counts):
            notes.append(
                (
                    "银行答复仍按原指令金额，故改小的指令可能显示为多付退回（refund）",
                    "banks still answer with the recorded amounts, so an order made smaller may look overpaid (refund)",
                )
            )
        if self.contributions:
            notes.append(
                (
                    f"有 {self.contributions} 条机构/医师计数会不同（占位编码），以这些计数判断的规则仍按原记录计算",
                    f"{self.contributions} counts of institutions and doctors would differ (placeholder codes); "
                    "every rule over such counts was judged over the recorded ones",
                )
            )
        return notes


def alike(before: bytes | None, after: bytes | None) -> bool:
    """Do both folds say the same here?"""
    return _compared(before) == _compared(after)


def difference(topic: str, identity: str, before: bytes | None, after: bytes | None) -> Found:
    """What differs in one output, and whom it concerns."""
    old, new = _compared(before), _compared(after)
    change = "added" if old is None else "gone" if new is None else "changed"
    return (topic, change, _group(topic, old, new)), {"id": identity, **_example(old, new)}


def _compared(body: bytes | None) -> dict[str, Any] | None:
    if body is None:
        return None
    content: dict[str, Any] = orjson.loads(body)
    for name in _NOT_COMPARED:
        content.pop(name, None)
    return content


def _group(topic: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> str:
    """Under which name it is counted: the rule of an alert; kind and outcome of a decision; kind of an order."""
    either = new if new is not None else old
    assert either is not None
    if topic == "alerts":
        return f"{either['rule_id']}·{either['level']} {either['episode']}"
    if topic == "withholding":
        return str(either["kind"])
    outcomes = [str(body.get("decision")) for body in (old, new) if body is not None]
    return f"{either.get('kind', '')} {' → '.join(dict.fromkeys(outcomes))}".strip()


def _example(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    """Whom it concerns and what it says; of a change only the fields that differ."""
    either = new if new is not None else old
    assert either is not None
    about: dict[str, Any] = {
        name: either[name]
        for name in ("subject_id", "psn_no", "authorization_id", "mdtrt_id", "event_id", "amount_fen", "vola_cont_zh")
        if name in either
    }
    if old is None or new is None:
        return about
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return about | {"changed": {name: [old.get(name), new.get(name)] for name in names}}


def show(found: Differences, *, as_json: bool) -> None:
    """Print it, the gravest first: what is gone, what is new, what is changed."""
    if as_json:
        print(orjson.dumps(_document(found)).decode())
        return
    under = ", ".join(sorted(found.instead_of))
    print(f"{found.records} records, folded under {found.policy} instead of {under}")
    if not found.any:
        print(f"没有差异 / no difference: {found.equal} alerts, decisions and orders are the same")
    for topic, name in _NAMES.items():
        keys = sorted(key for key in found.counts if key[0] == topic)
        if keys:
            print(f"{name}:")
        for key in keys:
            _, change, group = key
            print(f"  {_WORDS[change]}  {group}  × {found.counts[key]}")
            for example in found.examples[key]:
                print(f"      {_line(example)}")
    if found.any:
        print(f"same 相同: {found.equal}")
    for zh, en in found.notes:
        print(f"注 / note: {zh} / {en}")


def as_line(kind: tuple[str, str, str], example: dict[str, Any]) -> str:
    """One difference as it is found."""
    topic, change, group = kind
    return f"{_WORDS[change]}  {_NAMES[topic]}  {group}  {_line(example)}"


def _line(example: dict[str, Any]) -> str:
    changed = example.get("changed", {})
    who = next((str(example[key]) for key in ("subject_id", "psn_no", "authorization_id") if key in example), "")
    said = str(example.get("vola_cont_zh", "")) if not changed else ""
    what = "; ".join(f"{name} {_short(old)} → {_short(new)}" for name, (old, new) in changed.items())
    return " ".join(part for part in (example["id"], who, said, what) if part)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}…"


def _document(found: Differences) -> dict[str, Any]:
    names = {"alerts": "alerts", "decisions": "decisions", "withholding": "orders"}
    return {
        "differs": found.any,
        "policy": found.policy,
        "instead_of": sorted(found.instead_of),
        "records": found.records,
        "same": found.equal,
        "differences": [
            {
                "topic": names[topic],
                "change": change,
                "of": group,
                "count": count,
                "examples": found.examples[topic, change, group],
            }
            for (topic, change, group), count in sorted(found.counts.items())
        ],
        "notes": [en for _, en in found.notes],
    }
