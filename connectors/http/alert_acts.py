"""The calls by which the bureau says what is done about alerts: suppressed, lifted, looked after, judged.

Each is an act with an author, appended to `handling.v1` and acknowledged before it is answered. No alert is looked up:
a word about one that is not there is recorded and concerns nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from confluent_kafka import KafkaException

from connectors.handling import encode_act, key_of
from connectors.http.alert_bodies import AcknowledgementBody, LiftBody, SuppressionBody, VerdictBody
from connectors.http.asgi import Answer, Call, json_answer
from connectors.http.bodies import decode_body
from connectors.http.log import Log, LogFull
from connectors.http.problem import Problem
from connectors.topology import partition_of
from risk.handling import (
    Act,
    AlertAcknowledged,
    AlertJudged,
    AlertSuppressed,
    AlertUnsuppressed,
    refused_suppression,
    suppression_id_of,
)
from risk.local_time import to_datetime
from risk.policy_parameters import rule_called

DURABLE_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertActs:
    """The four calls. `days_max`: how long a suppression may last."""

    log: Log
    topic: str
    partitions: int
    pseudonym: Callable[[str], str]
    wall_ms: Callable[[], int]
    days_max: int

    async def suppress(self, call: Call) -> Answer:
        """`POST /v1/suppressions`"""
        asked = decode_body(SuppressionBody, call.body)
        if asked.psn_no and asked.dr_code:
            raise Problem("FIELD_INVALID", "dr_code", why="give psn_no or dr_code, not both")
        rule_id = rule_called(asked.rule_id) if asked.rule_id else ""
        if rule_id is None:
            raise Problem("FIELD_INVALID", "rule_id", why="the id of a rule, such as P03; no rule is called so")
        at_ms = self.wall_ms()
        subject_id = self.pseudonym(asked.psn_no) if asked.psn_no else asked.dr_code
        scope = (rule_id, subject_id, asked.institution)
        act = AlertSuppressed(
            at=to_datetime(at_ms),
            by=asked.by,
            source=call.token.name,
            suppression_id=suppression_id_of(scope, at_ms, asked.by),
            until=asked.until,
            reason=asked.reason,
            rule_id=rule_id,
            subject_id=subject_id,
            institution=asked.institution,
        )
        refusal = refused_suppression(act, self.days_max)
        if refusal is not None:
            raise Problem("FIELD_INVALID", refusal.field, why=f"{refusal.zh} / {refusal.en}")
        return await self._recorded(act)

    async def lift(self, call: Call) -> Answer:
        """`POST /v1/suppressions/{id}/lift`"""
        asked = decode_body(LiftBody, call.body)
        at = to_datetime(self.wall_ms())
        return await self._recorded(
            AlertUnsuppressed(
                at=at, by=asked.by, source=call.token.name, suppression_id=_named(call), reason=asked.reason
            )
        )

    async def acknowledge(self, call: Call) -> Answer:
        """`POST /v1/alerts/{id}/acknowledgement`"""
        asked = decode_body(AcknowledgementBody, call.body)
        at = to_datetime(self.wall_ms())
        return await self._recorded(
            AlertAcknowledged(at=at, by=asked.by, source=call.token.name, alert_id=_named(call), note=asked.note)
        )

    async def judge(self, call: Call) -> Answer:
        """`POST /v1/alerts/{id}/verdict`"""
        asked = decode_body(VerdictBody, call.body)
        act = AlertJudged(
            at=to_datetime(self.wall_ms()),
            by=asked.by,
            source=call.token.name,
            alert_id=_named(call),
            verdict=asked.verdict,
            note=asked.note,
        )
        return await self._recorded(act)

    async def _recorded(self, act: Act) -> Answer:
        key = key_of(act)
        try:
            async with asyncio.timeout(DURABLE_WITHIN_S):
                await self.log.append_durably(self.topic, partition_of(key, self.partitions), key, encode_act(act))
        except (LogFull, KafkaException, TimeoutError):
            raise Problem("LOG_AWAY", retry_after_s=2) from None
        return json_answer(200, msgspec.to_builtins(act))


def _named(call: Call) -> str:
    """The id in the path. A longer one than any of ours names nothing, and would stand in the log for ever."""
    if len(call.ids[0]) > 64 or not call.ids[0].isascii() or not call.ids[0].isprintable():
        raise Problem("NOT_FOUND")
    return call.ids[0]
