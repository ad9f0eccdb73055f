"""Everything that can happen to the money of three people, in any order, against a naive second book. Not a test.

Who runs it says where the records go: test_money_machine.py folds them at once, tests/streams/ sends them through a
lane.
"""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from risk import facts
from risk.exposure import held_fen, used_fen
from risk.local_time import HOUR_MS, day_start_ms, local_day
from risk.view import view
from tests.risk.credit_life import HOSPITAL, Life
from tests.risk.ledger import Ledger
from tests.risk.visit_book import VisitBook

SERVICES = ("visit_first", "deposit_free")
AGREEMENTS = (("card",), ("line",), ("card1", "line2"))
LINE_FEN = 250_000
INSUTYPE = "310"
NIGHT = ("bill", "cash", "undone", "estimate")
people = st.integers(0, 2)
names = st.sampled_from(["A1", "A2", "A3", "A4"])
visits = st.sampled_from(["M1", "M2", "M3"])
bills = st.sampled_from(["S1", "S2", "S3", "S4", "S5", "S6"])
amounts = st.one_of(st.integers(1, 400_000), st.sampled_from([1, 99_999, 100_000, 300_000, 300_001]))
picks = st.integers(0, 11)  # which of those that there are: drawn before anybody looks how many there are


def code_of(result, cause):
    """A bank may call off for good what another one refuses for good."""
    return "ACCOUNT_CLOSED" if (result, cause) == ("cancelled", "person") else None


class Person:
    """A life, its second book, and what the bank was sent."""

    def __init__(self, life):
        self.life = life
        self.book = Ledger()
        self.calendar = VisitBook()
        life.heard = self.note_fact
        self.sent = {}
        self.settled = set()
        self.reversed = set()
        self.calls = {}
        self.notices = []
        self.limits = {}  # what a hold's growth is judged by: the greatest limit of an approval of it

    def note_fact(self, fact):
        """One more fact of the log, before what is said of it."""
        is_booked = getattr(fact, "setl_id", None) in self.book.captured
        self.calendar.note(fact, is_booked=is_booked, is_silent=self.is_silent(fact))

    def is_silent(self, fact):
        """Does no midnight end the visit? Here a visit whose end was told is forgotten."""
        visit = self.life.visits.get(getattr(fact, "mdtrt_id", None))
        return visit is not None and visit.admission

    def hear(self, told):
        self.book.hear(told)
        for order in told.orders:
            self.calendar.check(order, self.book.services)
        self.notices += [each["notice_id"] for each in told.decisions if each["decision"] == "remind"]
        for order in told.orders:
            before = self.sent.get(order["order_id"], {"attempt": 0})
            assert order["attempt"] == before["attempt"] + 1, "one id is one order"
            self.sent[order["order_id"]] = order
        self.check(told)
        return told

    def check(self, told):
        credit, book, now = self.life.credit, self.book, self.life.context()
        for service in SERVICES:
            assert held_fen(credit, service) == book.held_in(service), "both books agree on what is held"
            assert used_fen(credit, service) == book.used_in(service), "and on what is used"
        for mdtrt in {*book.waiting, *(want.mdtrt_id for want in credit.wants)}:
            waiting = sum(want.topped_up_fen for want in credit.wants if want.mdtrt_id == mdtrt)
            assert waiting == book.waiting[mdtrt], "what was paid early waits, is booked or is given back, and is told"
        assert all(amount >= 0 for amount in book.held.values())
        for name, ends in book.ends.items():
            assert book.places[name] == ends + (name in book.held), "each hold ends once"
        assert not book.excess_fen, "what a bank returned beyond what came is told, to the fen"
        for setl_id in book.captured:
            assert book.net(setl_id) >= 0, "nothing goes back that did not come"
        seen = view(credit, now)
        for pool in seen["limits"]:
            if any(agreement.ending_ms or agreement.ended_ms for agreement in credit.agreements):
                assert 0 <= pool["available_fen"] <= pool["limit_fen"]  # the limit is of those that still lend
            else:
                assert 0 <= pool["available_fen"] <= max(0, pool["limit_fen"] - pool["held_fen"] - pool["used_fen"])
        for body in told.decisions:
            if body["kind"] == "authorization" and body["decision"] in ("approve", "partial"):
                self.check_approval(body, seen, now.terms)

    def check_approval(self, body, seen, terms):
        """At every approval: held and used fit the policy's limit, and the bank's line."""
        name, service, book = body["authorization_id"], body["service"], self.book
        limit_fen = terms["limit"].value.limit_fen(seen["level"], service, INSUTYPE)
        self.limits[name] = max(limit_fen, self.limits.get(name, 0) if book.is_grown(name) else 0)
        assert book.held_in(service) + book.used_in(service) <= self.limits[name], "no approval above the limit"
        (line,) = [each for each in seen["bank_lines"] if each["agreement_no"] == body["agreement_no"]]
        if line["funding_mode"] == "credit_line":
            assert book.exposure_of(body["agreement_no"]) <= line["bank_line_fen"], "nor above the bank's line"

    def authorize(self, amount, name, mdtrt, attempt, **fields):
        told = self.hear(self.life.authorize(amount, name, mdtrt, attempt, **fields))
        if told.reply["status"] == 200:
            self.calls.setdefault(name, set()).add(attempt)
            assert told.reply["approved_fen"] <= told.reply["max_approvable_fen"]
            before = self.life.credit
            again = self.life.authorize(amount, name, mdtrt, attempt, **fields)
            assert self.life.credit == before, "the same call again changes nothing"
            assert again.decisions == []

    def bank(self, order, result, amount, cause):
        self.book_answer(order["order_id"], order["attempt"], result, amount)
        self.hear(self.life.bank(order, result, amount, cause=cause, code=code_of(result, cause)))

    def book_answer(self, order_id, attempt, result, amount):
        """The bank's word in the second book: about an order it still has, or late, about what it moved after all."""
        order = next(each for each in self.life.credit.orders if each.order_id == order_id)
        if order.in_flight:
            self.book.bank(order_id, result, amount)
        else:
            self.book.late(order_id, max(0, amount - dict(order.told).get(attempt, 0)))


class Money(RuleBasedStateMachine):
    """Everything that happens."""

    def __init__(self):
        super().__init__()
        self.people = [self.person(number) for number in range(3)]
        self.number = 0

    def person(self, number):
        life = Life(psn_no=f"p1_{number:022d}").sign(agreements=AGREEMENTS[number], line_fen=LINE_FEN)
        return Person(life)

    def look(self):
        """Before a rule that goes by how things stand; here they stand at once."""

    def fresh(self, prefix):
        self.number += 1
        return f"{prefix}{self.number}"

    @rule(who=people, name=names, mdtrt=visits, amount=amounts, service=st.sampled_from(SERVICES), visit=st.booleans())
    def authorize(self, *, who, name, mdtrt, amount, service, visit):
        self.people[who].authorize(
            amount,
            name,
            mdtrt,
            self.fresh("t"),
            service=service,
            med_type="21" if service == "deposit_free" else "11",
            scope="visit" if visit else "settlement",
        )

    @rule(who=people, name=names, mdtrt=visits, amount=amounts, more=st.sampled_from([0, 0, 1, 60_000]))
    def a_visit_on_credit(self, *, who, name, mdtrt, amount, more):
        """The ordinary way; what nobody asked for comes on top of the bill."""
        person, setl_id = self.people[who], self.fresh("V")
        person.authorize(amount, name, mdtrt, self.fresh("t"))
        person.settled.add(setl_id)
        person.hear(person.life.settle(amount + more, setl_id, mdtrt, authorization_id=name))

    @rule(who=people, name=names, amount=amounts)
    def increase(self, who, name, amount):
        person = self.people[who]
        person.hear(person.life.increase(amount, authorization_id=name, request_id=self.fresh("R")))

    @rule(
        who=people, name=names, amount=amounts, paid=amounts,
        then=st.sampled_from(["bill", "part", "nothing due", "otherwise", "release", "cancel", "end"]),
    )  # fmt: skip
    def paid_before_the_bill(self, *, who, name, amount, paid, then):
        """A visit of its own; the hold may be refused, or be that of another visit."""
        person, mdtrt, setl_id = self.people[who], self.fresh("E"), self.fresh("X")
        person.authorize(amount, name, mdtrt, self.fresh("t"), scope="visit")
        person.hear(person.life.top_up(paid, self.fresh("c"), mdtrt))
        if then == "release":
            self.release(who, name)
        elif then == "cancel":
            person.hear(person.life.cancel(mdtrt))
        elif then == "part":
            told = {"authorization_id": name, "request_id": self.fresh("R"), "final": False}
            person.hear(person.life.capture(amount // 2, setl_id, **told))
        elif then != "end":
            cash, told = (0 if then == "nothing due" else amount // 2), {"credit_fen": 0} if then == "otherwise" else {}
            person.settled.add(setl_id)
            person.hear(person.life.settle(cash, setl_id, mdtrt, authorization_id=name, **told))

    @rule(who=people, name=names, amount=amounts, paid=amounts, bill=amounts, times=st.integers(-1, 2))
    def the_bill_says_otherwise(self, *, who, name, amount, paid, bill, times):
        """Captured at a checkout, paid at the counter so often, and then its event comes."""
        person, mdtrt, setl_id = self.people[who], self.fresh("E"), self.fresh("X")
        person.authorize(amount, name, mdtrt, self.fresh("t"))
        person.hear(person.life.capture(amount, setl_id, authorization_id=name, request_id=self.fresh("R")))
        for _ in range(times):
            person.hear(person.life.top_up(paid, self.fresh("c"), mdtrt, setl_id=setl_id))
        person.settled.add(setl_id)
        person.hear(person.life.settle(bill, setl_id, mdtrt, add_up=times >= 0, authorization_id=name))

    @rule(who=people, amount=amounts, bill=amounts, how=st.sampled_from(["unnamed", "otherwise", "not so"]))
    def the_bill_comes_before_its_capture(self, *, who, amount, bill, how):
        """An event that names no authorization, one that was paid otherwise, or one that does not add up. The hold is
        of this visit: a bill captured out of another visit's hold ends with that one, which the event does not name.
        """
        person, name, mdtrt, setl_id = self.people[who], self.fresh("A"), self.fresh("E"), self.fresh("X")
        person.authorize(amount, name, mdtrt, self.fresh("t"))
        person.settled.add(setl_id)
        told = {"credit_fen": 0} if how == "otherwise" else {}
        person.hear(person.life.settle(bill, setl_id, mdtrt, add_up=how != "not so", **told))
        person.hear(person.life.capture(amount, setl_id, authorization_id=name, request_id=self.fresh("R")))

    @rule(who=people, name=names)
    def abandoned_increase(self, who, name):
        person, request = self.people[who], self.fresh("R")
        person.hear(person.life.increase(7_000, authorization_id=name, request_id=request, attempt=request))
        person.hear(person.life.abandon(request, name, request))

    @rule(who=people, name=names)
    def release(self, who, name):
        person = self.people[who]
        person.hear(person.life.release(authorization_id=name, request_id=self.fresh("R")))

    @rule(who=people, name=names)
    def abandon(self, who, name):
        person = self.people[who]
        for attempt in sorted(person.calls.pop(name, ())):
            person.hear(person.life.abandon(attempt, name))

    @rule(who=people, name=names, bill=bills, amount=amounts, final=st.booleans())
    def capture(self, *, who, name, bill, amount, final):
        person = self.people[who]
        told = person.life.capture(
            amount, f"{bill}-{name}", authorization_id=name, request_id=self.fresh("R"), final=final
        )
        person.hear(told)

    @rule(who=people, bill=bills, mdtrt=visits, amount=amounts, name=st.one_of(st.none(), names))
    def settle(self, *, who, bill, mdtrt, amount, name):
        person = self.people[who]
        setl_id = f"{bill}-{name}" if name else bill
        if setl_id not in person.settled:  # the activity counts a settlement once
            person.settled.add(setl_id)
            person.hear(person.life.settle(amount, setl_id, mdtrt, authorization_id=name))

    @rule(who=people, mdtrt=visits, amount=amounts)
    def settle_on_credit_without_asking(self, who, mdtrt, amount):
        person, setl_id = self.people[who], self.fresh("X")
        person.settled.add(setl_id)
        person.hear(person.life.settle(amount, setl_id, mdtrt, credit_fen=amount))

    @rule(who=people, pick=picks)
    def reverse(self, who, pick):
        person = self.people[who]
        standing = sorted(person.settled - person.reversed)
        if standing:
            setl_id = standing[pick % len(standing)]
            person.reversed.add(setl_id)
            person.hear(person.life.reverse(setl_id))

    @rule(who=people, pick=picks)
    def reverse_before_its_bill(self, who, pick):
        """What a checkout captured; the bill itself never comes."""
        self.look()
        person = self.people[who]
        told = [each.setl_id for each in person.life.credit.obligations if each.setl_id not in person.settled]
        if told:
            setl_id = told[pick % len(told)]
            person.settled.add(setl_id)
            person.reversed.add(setl_id)
            person.hear(person.life.reverse(setl_id))

    @rule(who=people, pick=picks)
    def reinstate(self, who, pick):
        person = self.people[who]
        if person.reversed:
            setl_id = sorted(person.reversed)[pick % len(person.reversed)]
            person.reversed.remove(setl_id)
            person.hear(person.life.reinstate(setl_id))

    @rule(
        who=people,
        pick=picks,
        result=st.sampled_from(["settled", "settled", "partial", "rejected", "unknown", "accepted", "cancelled"]),
        cause=st.sampled_from(["person", "bank"]),
    )
    def bank_answers(self, who, pick, result, cause):
        self.look()
        person = self.people[who]
        flying = [each.order_id for each in person.life.credit.orders if each.in_flight]
        if flying:
            order = person.sent[flying[pick % len(flying)]]
            amount = {"settled": order["amount_fen"], "partial": order["amount_fen"] // 2}.get(result, 0)
            person.bank(order, result, amount, cause)

    @rule(result=st.sampled_from(["settled", "settled", "settled", "partial", "rejected", "unknown"]))
    def the_bank_answers_everything(self, result):
        self.look()
        for person in self.people:
            for order_id in [each.order_id for each in person.life.credit.orders if each.in_flight]:
                order = person.sent[order_id]
                amount = {"settled": order["amount_fen"], "partial": order["amount_fen"] // 2}.get(result, 0)
                person.bank(order, result, amount, "person")

    @rule(who=people, amount=amounts)
    def repay_the_bank(self, who, amount):
        person = self.people[who]
        line = next((each.agreement_no for each in person.life.credit.agreements if each.mode == "credit_line"), None)
        if line is not None:
            person.hear(person.life.repaid(amount, line))

    @rule(who=people, mdtrt=visits, amount=amounts, bill=st.one_of(st.none(), bills))
    def pay_at_the_counter(self, *, who, mdtrt, amount, bill):
        person = self.people[who]
        person.hear(person.life.top_up(amount, self.fresh("c"), mdtrt, setl_id=bill))

    @rule(who=people, amount=amounts, mdtrt=st.one_of(st.none(), visits))
    def the_bank_gives_back_unasked(self, who, amount, mdtrt):
        person = self.people[who]
        number = person.life.credit.agreements[0].agreement_no
        person.hear(person.life.repaid(amount, number, facts.BankRefunded, mdtrt_id=mdtrt))

    @rule(who=people, pick=picks, result=st.sampled_from(["settled", "partial", "rejected", "cancelled"]))
    def bank_speaks_late(self, who, pick, result):
        self.look()
        person = self.people[who]
        over = [each for each in person.life.credit.orders if each.order_id in person.sent and not each.in_flight]
        if over:
            order = person.sent[over[pick % len(over)].order_id]
            amount = {"settled": order["amount_fen"], "partial": order["amount_fen"] // 2}.get(result, 0)
            person.bank(order, result, amount, "bank")

    @rule(who=people, hours=st.sampled_from([0.2, 1, 9, 26, 80]))
    def time_passes(self, who, hours):
        person = self.people[who]
        person.hear(person.life.pass_time(hours=hours))

    @rule(hours=st.sampled_from([26, 26, 50]))
    def a_day_passes(self, hours):
        for person in self.people:
            for mdtrt in sorted(person.life.visits):
                self.ended(person, mdtrt)
        self.later(hours)

    def later(self, hours):
        """So many hours later, for everybody."""
        for person in self.people:
            person.hear(person.life.pass_time(hours=hours))

    @rule(who=people, mdtrt=visits)
    def visit_ends(self, who, mdtrt):
        person = self.people[who]
        if mdtrt in person.life.visits:
            self.ended(person, mdtrt)

    def ended(self, person, mdtrt):
        person.hear(person.life.close(mdtrt))
        del person.life.visits[mdtrt]

    @rule(
        who=people, known=st.booleans(), event=st.sampled_from(["bill", "cash", "undone", "estimate"]), amount=amounts
    )
    def a_visit_over_midnight(self, *, who, known, event, amount):
        """Billed ten minutes before it, heard of again ten minutes after."""
        person, mdtrt, bills = self.people[who], self.fresh("N"), [self.fresh("X"), self.fresh("X")]
        now_ms = person.life.now_ms
        self.later((day_start_ms(local_day(now_ms + 600_000) + 1) - now_ms) / HOUR_MS - 1 / 6)
        if known:
            person.life.visit(mdtrt)
        for bill in bills:
            person.settled.add(bill)
            person.hear(person.life.settle(1_000, bill, mdtrt, credit_fen=1_000))
        self.later(1 / 3)
        if event == "undone":
            person.reversed.add(bills[1])
            person.hear(person.life.reverse(bills[1]))
        elif event == "estimate":
            self.estimate(who, mdtrt, amount)
        else:
            person.settled.add(bill := self.fresh("X"))
            person.hear(person.life.settle(amount, bill, mdtrt, credit_fen=amount if event == "bill" else 0))
        self.later(9)

    @rule(who=people, level=st.sampled_from(["A", "A", "B", "B", "C", "D", "UNRATED"]))
    def level_moves(self, who, level):
        person = self.people[who]
        person.life.now_ms += 1
        person.hear(person.life.tell(facts.CreditLevelSet, level=level, decided_by="医保局"))

    @rule(who=people, line_fen=st.sampled_from([0, 50_000, 250_000, 900_000]))
    def line_moves(self, who, line_fen):
        person = self.people[who]
        person.life.now_ms += 1
        number = person.life.credit.agreements[-1].agreement_no
        person.hear(person.life.tell(facts.AgreementLineChanged, agreement_no=number, bank_line_fen=line_fen))

    @rule(who=people, pick=picks)
    def a_reminder_is_delivered(self, who, pick):
        person = self.people[who]
        if person.notices:
            notice_id = person.notices[pick % len(person.notices)]
            person.hear(person.life.tell(facts.NoticeDelivered, notice_id=notice_id, channel="institution"))

    @rule(who=people, bill=bills, is_open=st.booleans())
    def a_case_about_a_bill(self, who, bill, is_open):
        person = self.people[who]
        person.life.now_ms += 1
        if is_open:
            told = {"about": bill, "gravity": "grave"}
            person.hear(person.life.tell(facts.CaseConfirmed, case_id="c", decided_by="李某", **told))
        else:
            person.hear(person.life.tell(facts.CaseClosed, case_id="c", decided_by="李某"))

    @rule(who=people, by=st.sampled_from(["person", "bank"]), again=st.sampled_from(["", "same", "new", "new"]))
    def agreement_ends_and_is_signed_again(self, who, by, again):
        person = self.people[who]
        before = person.life.credit.agreements[-1]
        person.life.now_ms += 1
        person.hear(person.life.tell(facts.AgreementTerminated, agreement_no=before.agreement_no, requested_by=by))
        if again:
            person.life.now_ms += 1
            number = before.agreement_no if again == "same" else before.agreement_no + "+"
            told = {"agreement_no": number, "bank_code": "BOCOM", "funding_mode": before.mode}
            told |= {"services": before.services, "bank_line_fen": before.line_fen}
            person.hear(person.life.tell(facts.AgreementSigned, **told))

    @rule(who=people, bill=bills, is_open=st.booleans())
    def disputed(self, who, bill, is_open):
        person = self.people[who]
        person.life.now_ms += 1
        kind = facts.CreditDisputeOpened if is_open else facts.CreditDisputeClosed
        person.hear(person.life.tell(kind, dispute_id="d", about=bill))

    @rule(who=people, mdtrt=visits, amount=amounts)
    def fee_line(self, who, mdtrt, amount):
        person = self.people[who]
        person.life.visits.get(mdtrt) or person.life.visit(mdtrt, med_type="21")
        person.hear(person.life.fee(amount, self.fresh("F"), mdtrt, ownpay_fen=amount // 3))

    @rule(who=people, mdtrt=visits, number=st.integers(1, 40), part=st.one_of(st.none(), amounts))
    def fee_line_back(self, *, who, mdtrt, number, part):
        person = self.people[who]
        person.hear(person.life.fee_back(mdtrt, feedetl_sn=f"F{number}", amount_fen=part))

    @rule(who=people, mdtrt=visits, amount=amounts)
    def estimate(self, who, mdtrt, amount):
        person = self.people[who]
        person.hear(
            person.life.tell(
                facts.SettlementEstimated, mdtrt_id=mdtrt, fixmedins_code=HOSPITAL, medfee_sumamt_fen=amount,
                fund_pay_sumamt_fen=0, psn_part_amt_fen=amount, acct_pay_fen=0, psn_cash_pay_fen=amount,
            )
        )  # fmt: skip
