"""One person's life with credit, step by step: builders that hide what a test does not mean. It proves nothing."""

from datetime import date
from functools import cache
from itertools import count
from pathlib import Path

import msgspec
from msgspec.structs import replace

from connectors.policy_files import read_policy_dir
from risk import facts
from risk.activity import Visit, hash64, visit_end_ms
from risk.credit import Context, Credit
from risk.exposure import held_fen, uncovered_fen, used_fen
from risk.lifecycle import apply_credit, due, next_due, reinstate, reverse, settle
from risk.local_time import HOUR_MS, day_of, day_start_ms, local_day, to_datetime
from risk.outputs import Output, Reply
from risk.policy import parse_policy
from risk.settlements import amounts_add_up

POLICIES = Path(__file__).parents[2] / "config" / "policies"
HOSPITAL = "H43050200001"
PERSON = "p1_AAAAAAAAAAAAAAAAAAAAAA"
_pack = msgspec.msgpack.encode
_unpack = msgspec.msgpack.Decoder(Credit).decode


@cache
def shaoyang(**changes):
    """The shipped policy, with values replaced: name=(old text, new text) pairs."""
    files = dict(read_policy_dir(POLICIES / "shaoyang"))
    for old, new in changes.values():
        assert any(old in text for text in files.values()), old
        files = {name: text.replace(old, new) for name, text in files.items()}
    return parse_policy(files)


def at(day, hour=10, minute=0):
    """An instant of a local day."""
    return day_start_ms(day_of(date.fromisoformat(day))) + hour * HOUR_MS + minute * 60_000


class Told(list):
    """What one step said."""

    @property
    def reply(self):
        """The one reply's body."""
        (found,) = [each for each in self if isinstance(each, Reply)]
        return found.body | {"status": found.status}

    def on(self, topic):
        """The bodies sent to a topic."""
        return [each.body for each in self if isinstance(each, Output) and each.topic == topic]

    @property
    def decisions(self):
        """What was decided."""
        return self.on("decisions")

    @property
    def orders(self):
        """What the bank is told."""
        return self.on("withholding")

    @property
    def alerts(self):
        """(rule, episode) of each alert."""
        return [(each["rule_id"], each["episode"]) for each in self.on("alerts")]


class Row:
    """A settlement as the activity hands it back."""

    def __init__(self, setl_id):
        self.setl = hash64(setl_id)


class Life:
    """A record and a clock. Every step goes through the bytes, as in the store."""

    def __init__(self, now="2024-03-01", policy=None, psn_no=PERSON):
        self.now_ms = at(now) if isinstance(now, str) else now
        self.policy = policy or shaoyang()
        self.psn_no = psn_no
        self.credit = None
        self.visits = {}
        self.bills = {}
        self.standing = {}  # the bills that count, which of them were final
        self.area = ""
        self.reply_to = "api"
        self.all = []
        self._numbers = count(1)

    # --- the machinery

    def context(self, fact=None, now_ms=None):
        """Where the next record stands."""
        now_ms = now_ms or self.now_ms
        return Context(
            now_ms=now_ms,
            occurred_ms=now_ms,
            event_id=fact.event_id if fact else f"e{next(self._numbers)}",
            position=f"p00@{next(self._numbers)}",
            terms=self.policy.on(local_day(now_ms)),
            policy=self.policy,
            visit=self.visits.get(getattr(fact, "mdtrt_id", None)),
            visits=tuple(self.visits.values()),
            psn_no=self.psn_no,
            area=self.area,
            mdtrt=hash64(self.bills.get(getattr(fact, "setl_id", None), "")),
            is_settled=any(
                final and self.bills[setl_id] == getattr(fact, "mdtrt_id", None)
                for setl_id, final in self.standing.items()
            ),
        )

    def make(self, kind, event_id="", **fields):
        """A fact of this person, now."""
        number = next(self._numbers)
        return kind(
            event_id=event_id or f"event-{number}",
            occurred_at=to_datetime(self.now_ms),
            psn_no=self.psn_no,
            **fields,
        )

    def keep(self, step):
        """Take the step's record, through its bytes."""
        credit, said = step
        self.credit = None if credit is None else _unpack(_pack(credit))
        assert self.credit == credit, "the record is its bytes"
        self.all += said
        return Told(said)

    def tell(self, kind, **fields):
        """Fold one fact."""
        return self.take(self.make(kind, **fields), apply_credit)

    def take(self, fact, step):
        """A record: here it is folded at once; its visit, as the activity would, hears of it too."""
        self.heard(fact)
        if isinstance(fact, facts.SettlementCompleted):
            self.bills[fact.setl_id] = fact.mdtrt_id
            self.standing[fact.setl_id] = fact.mid_setl_flag != "1"
        elif isinstance(fact, facts.FeeAdded | facts.FeeReversed | facts.SettlementEstimated):
            self._happened(fact.mdtrt_id)
        if isinstance(fact, facts.SettlementReversed):
            self.standing.pop(fact.setl_id, None)
        told = self.keep(step(self.credit, fact, self.context(fact)))
        if isinstance(fact, facts.SettlementReversed | facts.SettlementReinstated):
            self._happened(self.bills.get(fact.setl_id), undone=True)
        return told

    def _happened(self, mdtrt_id, *, undone=False):
        visit = self.visits.get(mdtrt_id)
        if visit is None or (undone and 0 < visit_end_ms(visit, 2 * HOUR_MS) <= self.now_ms):
            return
        self.visits[mdtrt_id] = replace(visit, newest_ms=max(visit.newest_ms, self.now_ms))

    def heard(self, fact):
        """For who keeps a book of his own."""

    def pass_time(self, *, hours=0, until=None):
        """Let the clock run; everything scheduled happens when it is due."""
        end_ms = at(*until) if until else self.now_ms + int(hours * HOUR_MS)
        said = Told()
        while (next_ms := next_due(self.credit)) is not None and next_ms <= end_ms:
            self.now_ms = max(self.now_ms, next_ms)
            fact = self.make(facts.TimerDue, event_id=f"timer:{self.psn_no}:{next_ms}", due_ms=next_ms)
            said += self.keep(due(self.credit, next_ms, self.context(fact)))
            assert next_due(self.credit) is None or next_due(self.credit) > next_ms, "time must pass"
        self.now_ms = max(self.now_ms, end_ms)
        return said

    # --- signing

    def sign(self, *, level="B", agreements=("card",), line_fen=400_000, commitment=True, status="normal"):
        """Status, commitment, level and agreements: `card…` withholds from a card, `line…` is a bank's credit line."""
        if status:
            self.tell(facts.InsuredStatusChanged, status=status)
        if commitment:
            self.tell(facts.CommitmentSigned, commitment_no="C1", version="1", channel="app")
        if level:
            self.tell(facts.CreditLevelSet, level=level, decided_by="医保局")
        for name in agreements:
            mode = "card_withhold" if name.startswith("card") else "credit_line"
            self.tell(
                facts.AgreementSigned,
                agreement_no=name,
                bank_code="BOCOM",
                funding_mode=mode,
                services=("visit_first", "deposit_free"),
                bank_line_fen=line_fen if mode == "credit_line" else None,
            )
            self.now_ms += 1
        return self

    def visit(self, mdtrt_id="M1", med_type="11", insuplc="430502", **fields):
        """A visit as the activity remembers it."""
        known = self.visits.get(mdtrt_id) or Visit(
            mdtrt_id, HOSPITAL, "1", med_type, "310", insuplc, "D1", self.now_ms, self.now_ms
        )
        self.visits[mdtrt_id] = replace(known, newest_ms=max(known.newest_ms, self.now_ms), **fields)
        self.area = insuplc or self.area
        return self

    def close(self, mdtrt_id="M1"):
        """Discharge."""
        self.visits[mdtrt_id] = replace(self.visits[mdtrt_id], ended_ms=self.now_ms, newest_ms=self.now_ms)
        return self.tell(facts.VisitClosed, mdtrt_id=mdtrt_id)

    def cancel(self, mdtrt_id="M1"):
        """The registration or admission is undone."""
        self.visits[mdtrt_id] = replace(self.visits[mdtrt_id], ended_ms=self.now_ms, cancelled=True)
        return self.tell(facts.VisitCancelled, mdtrt_id=mdtrt_id)

    # --- checkout

    def authorize(self, amount_fen, authorization_id="A1", mdtrt_id="M1", attempt="", **fields):
        """Ask for a hold."""
        if mdtrt_id not in self.visits:
            self.visit(mdtrt_id)
        fields = {"service": "visit_first", "med_type": "11", "fixmedins_code": HOSPITAL} | fields
        return self.tell(
            facts.AuthorizationRequested,
            event_id=f"auth:{fields['fixmedins_code']}:{authorization_id}",
            authorization_id=authorization_id,
            mdtrt_id=mdtrt_id,
            amount_fen=amount_fen,
            attempt=attempt or f"t{next(self._numbers)}",
            reply_to=self.reply_to,
            **fields,
        )

    def ask(self, kind, authorization_id="A1", request_id="R1", attempt="", **fields):
        """Increase, capture, release or abandon."""
        return self.tell(
            kind,
            event_id=f"auth:{HOSPITAL}:{authorization_id}" + (f":{request_id}" if request_id else ""),
            authorization_id=authorization_id,
            fixmedins_code=HOSPITAL,
            attempt=attempt or f"t{next(self._numbers)}",
            reply_to=self.reply_to,
            request_id=request_id or None,
            **fields,
        )

    def increase(self, amount_fen, **fields):
        """Ask for more."""
        return self.ask(facts.AuthorizationIncreaseRequested, amount_fen=amount_fen, **fields)

    def capture(self, psn_cash_pay_fen, setl_id="S1", **fields):
        """Capture at the counter."""
        return self.ask(
            facts.AuthorizationCaptureRequested, setl_id=setl_id, psn_cash_pay_fen=psn_cash_pay_fen, **fields
        )

    def release(self, **fields):
        """Give back."""
        return self.ask(facts.AuthorizationReleaseRequested, **fields)

    def abandon(self, attempt, authorization_id="A1", request_id=""):
        """The API stopped waiting."""
        return self.ask(
            facts.AuthorizationAbandoned, authorization_id=authorization_id, request_id=request_id, attempt=attempt
        )

    # --- what a stay costs

    def estimate(self, cash_fen, mdtrt_id="M1"):
        """A pre-settlement."""
        return self.tell(
            facts.SettlementEstimated, mdtrt_id=mdtrt_id, fixmedins_code=HOSPITAL, medfee_sumamt_fen=cash_fen,
            fund_pay_sumamt_fen=0, psn_part_amt_fen=cash_fen, acct_pay_fen=0, psn_cash_pay_fen=cash_fen,
        )  # fmt: skip

    def fee(self, amount_fen, feedetl_sn="F1", mdtrt_id="M1", **fields):
        """A fee line."""
        fields = {"med_list_codg": "X", "cnt_x10000": 10_000, "fixmedins_code": HOSPITAL} | fields
        return self.tell(facts.FeeAdded, mdtrt_id=mdtrt_id, feedetl_sn=feedetl_sn, amount_fen=amount_fen, **fields)

    def fee_back(self, mdtrt_id="M1", **fields):
        """Fee lines are taken back."""
        return self.tell(facts.FeeReversed, mdtrt_id=mdtrt_id, **fields)

    # --- settlements and money

    def settle(self, cash_fen, setl_id="S1", mdtrt_id="M1", add_up=True, **fields):
        """A settlement arrives, newly counted."""
        if mdtrt_id in self.visits:
            self.visit(mdtrt_id)
        fields = {"med_type": "11", "fixmedins_code": HOSPITAL, "fixmedins_type": "1"} | fields
        fact = self.make(
            facts.SettlementCompleted,
            setl_id=setl_id,
            mdtrt_id=mdtrt_id,
            medfee_sumamt_fen=cash_fen + 10_000 + (0 if add_up else 500),
            fund_pay_sumamt_fen=8_000,
            psn_part_amt_fen=cash_fen + 2_000,
            acct_pay_fen=2_000,
            psn_cash_pay_fen=cash_fen,
            **fields,
        )
        return self.take(fact, lambda credit, fact, context: settle(credit, fact, context, amounts_add_up(fact)))

    def reverse(self, setl_id="S1"):
        """The settlement is undone."""
        fact = self.make(facts.SettlementReversed, setl_id=setl_id)
        return self.take(fact, lambda credit, fact, context: reverse(credit, Row(setl_id), fact, context))

    def reinstate(self, setl_id="S1"):
        """The reversal is undone."""
        fact = self.make(facts.SettlementReinstated, setl_id=setl_id)
        return self.take(fact, lambda credit, fact, context: reinstate(credit, Row(setl_id), fact, context))

    def bank(self, order, result, amount_fen=None, attempt=None, **fields):
        """The bank answers an order (its body)."""
        if amount_fen is None:
            amount_fen = order["amount_fen"] if result == "settled" else 0
        return self.tell(
            facts.BankOrderResult,
            order_id=order["order_id"],
            attempt=attempt or order["attempt"],
            result=result,
            amount_fen=amount_fen,
            **fields,
        )

    def top_up(self, amount_fen, ref="", mdtrt_id="M1", **fields):
        """Paid at the counter."""
        return self.tell(
            facts.TopupReceived, mdtrt_id=mdtrt_id, amount_fen=amount_fen, channel="counter",
            ref=ref or f"r{next(self._numbers)}", fixmedins_code=HOSPITAL, **fields,
        )  # fmt: skip

    def repaid(self, amount_fen, agreement_no="line", kind=facts.BankRepaid, **fields):
        """The bank reports a payment, or with BankRefunded money that went back."""
        bank_ref = f"b{next(self._numbers)}"
        return self.tell(kind, agreement_no=agreement_no, amount_fen=amount_fen, bank_ref=bank_ref, **fields)

    # --- what it adds up to

    @property
    def held(self):
        """Held, both pools."""
        return held_fen(self.credit) if self.credit else 0

    @property
    def used(self):
        """Used, both pools."""
        return used_fen(self.credit) if self.credit else 0

    @property
    def uncovered(self):
        """Uncovered, outpatient pool."""
        return uncovered_fen(self.credit, "visit_first") if self.credit else 0


__all__ = ["HOSPITAL", "PERSON", "Life", "Row", "Told", "at", "replace", "shaoyang"]
