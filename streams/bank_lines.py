"""`xinmai orders line`: asks a person's banks what they lend now; a line that differs becomes `agreement.line_changed`.

Banks tell changes by themselves (`POST /v1/bank-notices`); this is for the notice that never came.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from connectors.append import Record, append_all
from connectors.bank import BankLine
from connectors.codec import encode_fact
from connectors.errors import ConnectorError
from connectors.kafka import producer
from connectors.state_codec import unpack_credit
from connectors.store import KEY_PREFIX, Store
from connectors.topology import partition_of, tags
from risk.facts import AgreementLineChanged
from risk.local_time import to_ms
from risk.senders import BANK
from risk.signed import CREDIT_LINE, Agreement
from streams.banks import bank_gateway
from streams.edges import open_edge

if TYPE_CHECKING:
    from streams.settings import Settings

APPEND_WITHIN_S = 10.0
Told = list[tuple[Agreement, BankLine | ConnectorError]]


def run_line(settings: "Settings", psn_no: str, *, as_json: bool) -> int:
    """0: all lines are known and, where they differed, appended; 1: a bank did not say, or nobody lends."""
    edge = open_edge(settings)
    psn_no = edge.pseudonyms.of(psn_no)
    told = asyncio.run(_asked(settings, _agreements(settings, psn_no, edge.partitions)))
    changed = [
        _changed(psn_no, agreement, line)
        for agreement, line in told
        if isinstance(line, BankLine) and line.bank_line_fen != agreement.line_fen
    ]
    partition = partition_of(psn_no, edge.partitions)
    records = [Record(settings.topics.events, psn_no, encode_fact(fact), partition) for fact in changed]
    if records:
        append_all(producer(settings.kafka), records, timeout_s=APPEND_WITHIN_S)
    lines = [_said(agreement, line) for agreement, line in told]
    if as_json:
        print(orjson.dumps({"psn_no": psn_no, "lines": lines, "appended": len(records)}).decode())
    for each in [] if as_json else lines:
        print("  ".join(f"{name} {value}" for name, value in each.items()))
    return 0 if told and all(isinstance(line, BankLine) for _, line in told) else 1


def _agreements(settings: "Settings", psn_no: str, partitions: int) -> list[Agreement]:
    """The person's agreements by which a bank lends."""
    tag = tags("p", partitions)[partition_of(psn_no, partitions)]
    store = Store(settings.redis)
    try:
        ((_, (value,)),) = store.read([(tag, [(f"{KEY_PREFIX}{tag}:c:{psn_no}", "")])])
    finally:
        store.close()
    agreements = unpack_credit(value).agreements if value else ()
    return [each for each in agreements if each.mode == CREDIT_LINE and not each.ended_ms]


async def _asked(settings: "Settings", agreements: list[Agreement]) -> Told:
    gateway = bank_gateway(settings)
    told: Told = []
    try:
        for agreement in agreements:
            try:
                told.append((agreement, await gateway.line(agreement.bank_code, agreement.agreement_no)))
            except ConnectorError as error:
                told.append((agreement, error))
    finally:
        await gateway.close()
    return told


def _changed(psn_no: str, agreement: Agreement, line: BankLine) -> AgreementLineChanged:
    """The bank's word as a fact; asked twice at one instant it is one fact."""
    return AgreementLineChanged(
        event_id=f"line:{agreement.agreement_no}:{to_ms(line.as_of)}",
        occurred_at=line.as_of,
        psn_no=psn_no,
        source=f"{BANK}:{agreement.bank_code}",
        agreement_no=agreement.agreement_no,
        bank_line_fen=line.bank_line_fen,
    )


def _said(agreement: Agreement, line: BankLine | ConnectorError) -> dict[str, Any]:
    body = {"agreement_no": agreement.agreement_no, "bank_code": agreement.bank_code, "known_fen": agreement.line_fen}
    if isinstance(line, ConnectorError):
        return body | {"error": str(line)}
    return body | {"bank_line_fen": line.bank_line_fen, "as_of": line.as_of.isoformat()}
