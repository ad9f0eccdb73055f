"""What people, hospital, bank and authority do in a story, as facts and calls over HTTP. Not a test."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from risk import facts
from risk.facts import Fact
from streams.city.canonical import AUTHORITY
from streams.up import INSTITUTION
from tests.e2e.stories.reading import Step, Story
from tests.e2e.stories.stage import Stage
from tests.e2e.stories.vocabulary import CHECKOUTS, CHOICES

HOME_AREA = "430502"
SERVICES = ("visit_first", "deposit_free")


class Done(NamedTuple):
    """What a step came to: the id of the event that a decision about it names; of a call, status and answer."""

    event_id: str = ""
    status: int = 0
    answer: Mapping[str, Any] | None = None


class Person:
    """The one person of a story: the story's own names for things, and theirs on the wire."""

    def __init__(self, story: Story, stage: Stage) -> None:
        self.psn_no = f"4305{story.name}"
        self._story, self._stage = story, stage
        self._first_agreement = ""
        self._banks: dict[str, str] = {}  # agreement -> bank, both by the story's names
        self._kinds: dict[str, str] = {}  # visit -> med_type
        self._requests: dict[str, str] = {}  # request -> visit
        self.away: set[str] = set()

    def does(self, step: Step) -> Done:
        """Do it; the answer is not judged here."""
        if step.does in CHECKOUTS:
            return self._asks(step)
        deed = _DEEDS.get(step.does)
        if deed is None:
            self._manages(step)
            return Done()
        told = deed(self, step, step.said)
        for number, (role, kind, fields) in enumerate(told):
            event_id = f"{self._story.name}:{step.number}:{number}"
            self._stage.post([_fact(kind, event_id, step, {"psn_no": self.psn_no, **fields})], role)
        return Done(f"{self._story.name}:{step.number}:{len(told) - 1}")

    def own(self, name: str) -> str:
        """The story's name for a visit, a bill, a request or an agreement, as it is on the wire."""
        return f"{self.psn_no}.{name}"

    def bank(self, name: str) -> str:
        """A bank of this story's own: what it is told to do, it does to nobody else."""
        return f"{name}.{self.psn_no}"

    def agreement(self, said: Mapping[str, Any]) -> str:
        """The agreement that is named, else the first."""
        return self.own(said.get("agreement") or self._first_agreement)

    # --- calls at the counter

    def _asks(self, step: Step) -> Done:
        said, client = step.said, self._stage.voice("hospital").client
        common = {"psn_no": self.psn_no, "fixmedins_code": INSTITUTION, "amount_fen": said["amount_fen"]}
        request = self.own(said.get("request") or said["visit"])
        if step.does == "asks for more":
            request_id = f"{step.number}"
            path, body = f"/v1/authorizations/{request}/increase", {**common, "request_id": request_id}
            name = f"auth:{INSTITUTION}:{request}:{request_id}"
        else:
            path = "/v1/authorizations"
            service = said.get("pool") or self._story.pool
            body = {**common, "authorization_id": request, "mdtrt_id": self.own(said["visit"]), "service": service}
            body |= {"med_type": self._kinds.get(said["visit"], "11")}
            body |= {name: said[name] for name in ("scope", "emergency") if name in said}
            body |= {"agreement_no": self.own(said["agreement"])} if "agreement" in said else {}
            name = f"auth:{INSTITUTION}:{request}"
        answer = client.post(path, json={**body, "answer_within_ms": 10_000})
        return Done(name, answer.status_code, answer.json())

    # --- the bank

    def _manages(self, step: Step) -> None:
        said = step.said
        bank = self.bank(said.get("bank") or self._banks[self._first_agreement])
        script = {"bank_code": bank, "times": said.get("times", 1)}
        script |= {"kind": said["order"]} if "order" in said else {}
        match step.does:
            case "will book and stay silent":
                self._stage.manage("scripts", {**script, "behaviour": "timeout_after_success"})
            case "will refuse":
                answer = {"behaviour": "decline", "code": said["code"], "cause": said["cause"]}
                self._stage.manage("scripts", script | answer)
            case "is down":
                self.away.add(bank)
                self._stage.manage("scripts", {"bank_code": bank, "behaviour": "down"})
            case "is up again":
                self.away.discard(bank)
                self._stage.manage("scripts", {"forget": bank})
            case "passes":
                pass
            case unplayed:
                raise AssertionError(f"{unplayed}: in the vocabulary, and nobody plays it")

    # --- what is told as facts

    def signs(self, step: Step, said: Mapping[str, Any]) -> "Told":
        """The first time with commitment and insured status; each time with a bank."""
        mode, line_fen = CHOICES["by"][said["by"]], said.get("line_fen")
        if (mode == "credit_line") != (line_fen is not None):
            raise AssertionError("a credit line has a line_yuan, a card has none")
        standing: Told = [
            ("authority", facts.InsuredStatusChanged, {"status": "normal"}),
            ("authority", facts.CommitmentSigned, {"commitment_no": self.own("C"), "version": "1", "channel": "app"}),
        ]
        first = not self._banks
        self._first_agreement = self._first_agreement or said["agreement"]
        self._banks[said["agreement"]] = said["bank"]
        signed = {
            "agreement_no": self.own(said["agreement"]),
            "bank_code": self.bank(said["bank"]),
            "funding_mode": mode,
            "services": SERVICES,
            "bank_line_fen": line_fen,
            "line_kind": None if line_fen is None else "dedicated",
        }
        return [*(standing if first else []), ("bank", facts.AgreementSigned, signed)]

    def opens_a_visit(self, step: Step, said: Mapping[str, Any]) -> "Told":
        """Registration, or admission."""
        self._kinds[said["visit"]] = CHOICES["kind"][said["kind"]]
        fields = {
            "mdtrt_id": self.own(said["visit"]),
            "fixmedins_code": INSTITUTION,
            "fixmedins_type": "1",
            "med_type": self._kinds[said["visit"]],
            "insutype": "310",
            "insuplc_admdvs": said.get("insured_at", HOME_AREA),
            "emergency": said["kind"] == "emergency",
        }
        return [("hospital", facts.VisitOpened, fields)]

    def estimates(self, step: Step, said: Mapping[str, Any]) -> "Told":
        """What it would cost by now."""
        visit = {"mdtrt_id": self.own(said["visit"]), "fixmedins_code": INSTITUTION}
        return [("hospital", facts.SettlementEstimated, visit | _amounts(said["cash_fen"]))]

    def adds_costs(self, step: Step, said: Mapping[str, Any]) -> "Told":
        """A line of cost, with what of it is the patient's own."""
        fields = {
            "mdtrt_id": self.own(said["visit"]),
            "feedetl_sn": f"{step.number}",
            "fixmedins_code": INSTITUTION,
            "med_list_codg": "X",
            "cnt_x10000": 10_000,
            "amount_fen": said["amount_fen"],
            "ownpay_fen": said["patient_pays_fen"],
            "selfpay_prop_x10000": 0,
        }
        return [("hospital", facts.FeeAdded, fields)]

    def sends_the_bill(self, step: Step, said: Mapping[str, Any]) -> "Told":
        """The settlement. The fund pays as much as the patient."""
        fields = {
            "setl_id": self.own(said["bill"]),
            "mdtrt_id": self.own(said["visit"]),
            "fixmedins_code": INSTITUTION,
            "fixmedins_type": "1",
            "med_type": self._kinds.get(said["visit"], "11"),
            "insutype": "310",
            "authorization_id": self.own(said["request"]) if "request" in said else None,
            "credit_fen": said.get("on_credit_fen"),
            "mid_setl_flag": "1" if said.get("mid_stay") else None,
            **_amounts(said["cash_fen"]),
        }
        return [("hospital", facts.SettlementCompleted, fields)]

    def takes_back(self, step: Step, said: Mapping[str, Any]) -> "Told":
        """The settlement is reversed."""
        return [("hospital", facts.SettlementReversed, {"setl_id": self.own(said["bill"])})]

    def pays(self, step: Step, said: Mapping[str, Any]) -> "Told":
        """Money over the counter."""
        fields = {"mdtrt_id": self.own(said["visit"]), "amount_fen": said["amount_fen"], "channel": "counter"}
        fields |= {"ref": f"R{step.number}", "fixmedins_code": INSTITUTION}
        fields |= {"setl_id": self.own(said["bill"])} if "bill" in said else {}
        return [("hospital", facts.TopupReceived, fields)]

    def repays(self, step: Step, said: Mapping[str, Any]) -> "Told":
        """Money to the bank, which tells of it."""
        fields = {"agreement_no": self.agreement(said), "amount_fen": said["amount_fen"], "bank_ref": f"R{step.number}"}
        return [("bank", facts.BankRepaid, fields)]

    def objects(self, step: Step, said: Mapping[str, Any]) -> "Told":
        """The person objects to a bill; the authority keeps the register of objections."""
        about = {"dispute_id": self.own("D"), "about": self.own(said["bill"])}
        return [("authority", facts.CreditDisputeOpened, about)]


Told = list[tuple[str, type[Fact], dict[str, Any]]]
_Deed = Callable[[Person, Step, Mapping[str, Any]], Told]


def _bank_says(kind: type[Fact], **more: str) -> _Deed:
    def deed(person: Person, step: Step, said: Mapping[str, Any]) -> Told:
        fields = {"agreement_no": person.agreement(said), **{name: said[value] for name, value in more.items()}}
        fields |= {"bank_ref": f"N{step.number}"} if "bank_line_fen" not in more else {}
        return [("bank", kind, fields)]

    return deed


_DEEDS: dict[str, _Deed] = {
    "signs": Person.signs,
    "objects": Person.objects,
    "pays at the counter": Person.pays,
    "repays the bank": Person.repays,
    "opens a visit": Person.opens_a_visit,
    "estimates the bill": Person.estimates,
    "adds costs": Person.adds_costs,
    "sends the bill": Person.sends_the_bill,
    "takes the bill back": Person.takes_back,
    "discharges": lambda person, step, said: [
        ("hospital", facts.VisitClosed, {"mdtrt_id": person.own(said["visit"]), "dscg_way": "1"})
    ],
    "changes the line": _bank_says(facts.AgreementLineChanged, bank_line_fen="line_fen"),
    "reports arrears": _bank_says(facts.BankOverdue),
    "reports arrears paid": _bank_says(facts.BankCured),
    "sets the level": lambda person, step, said: [
        ("authority", facts.CreditLevelSet, {"level": said["level"], "decided_by": AUTHORITY})
    ],
    "states": lambda person, step, said: [("authority", facts.InsuredStatusChanged, _status(said))],
    "decides the objection": lambda person, step, said: [
        ("authority", facts.CreditDisputeClosed, {"dispute_id": person.own("D"), "outcome": said["outcome"]})
    ],
}


def _status(said: Mapping[str, Any]) -> dict[str, Any]:
    entitled = {"entitlements": (said["entitlement"],)} if "entitlement" in said else {}
    return {"status": said["status"], **entitled}


def _fact(kind: type[Fact], event_id: str, step: Step, fields: Mapping[str, Any]) -> Fact:
    return kind(event_id=event_id, occurred_at=step.at, **fields)


def _amounts(cash_fen: int) -> dict[str, int]:
    return {
        "medfee_sumamt_fen": 2 * cash_fen,
        "fund_pay_sumamt_fen": cash_fen,
        "psn_part_amt_fen": cash_fen,
        "acct_pay_fen": 0,
        "psn_cash_pay_fen": cash_fen,
    }
