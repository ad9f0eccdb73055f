"""A naive second book, kept only from what was said and what the bank told: no code of the engine's sums.

It reads decisions and orders as an auditor would, and must come to the same held and used.
"""

from collections import defaultdict

ATTEMPTS_MOST = 7


class Ledger:
    """held by authorization; captured, paid and moved by settlement."""

    def __init__(self):
        self.held = {}
        self.pools = {}
        self.captured = {}
        self.modes = {}
        self.services = {}
        self.standing = {}
        self.due = {}
        self.paid = defaultdict(int)
        self.topped = defaultdict(int)  # setl_id -> paid at the counter above what was captured
        self.moved = defaultdict(int)  # (setl_id, kind) -> fen
        self.asked = {}  # order_id -> list of [setl_id, still to move]
        self.kinds = {}
        self.doubted = set()
        self.ends = defaultdict(int)
        self.places = defaultdict(int)
        self.agreements = {}
        self.opened = []  # captures in order
        self.lenders = {}  # authorization -> agreement
        self.grown = {}  # authorization -> was its last approval an increase?
        self.waiting = defaultdict(int)  # mdtrt_id -> paid at the counter before the bill
        self.dues = defaultdict(int)  # setl_id -> the most that was ever due
        self.wanted = defaultdict(int)  # setl_id -> how often something made an order of its own due
        self.ordered = defaultdict(int)  # setl_id -> how many debits or draws asked for it
        self.excess_fen = 0  # what banks returned beyond what came, until it is told
        self.given_up = set()  # bills whose debit nobody asks for any more
        self.beyond = defaultdict(int)  # setl_id -> what the bank moved without being asked for it any more

    def hear(self, told):
        """Book everything that one step said."""
        for body in told.on("decisions"):
            if body["kind"] == "authorization":
                self._authorization(body)
            elif body["kind"] == "capture":
                self._capture(body)
            elif body["kind"] == "payment":
                self._payment(body)
            elif "reversed_fen" in body:
                self._reversal(body)
            elif body["reasons"] and body["reasons"][0]["code"] == "BANK_REFUSED" and "setl_id" in body:
                self.captured[body["setl_id"]] = body["captured_fen"]
            elif body["reasons"] and body["reasons"][0]["code"] == "BANK_REFUSED":
                self.given_up |= {item["setl_id"] for item in body["items"]}
        for body in told.on("withholding"):
            self.kinds[body["order_id"]] = body["kind"]
            self.asked[body["order_id"]] = [[item["setl_id"], item["amount_fen"]] for item in body["items"]]
            assert body["attempt"] <= ATTEMPTS_MOST, "the ladder has an end"
            if body["kind"] == "cancel":
                self._count(self.wanted, body["order_id"])
            if body["kind"] in ("debit", "draw"):
                self._count(self.ordered, body["order_id"], body["attempt"] == 1)
                self.given_up -= {setl_id for setl_id, _ in self.asked[body["order_id"]]}
                for setl_id, amount_fen in self.asked[body["order_id"]]:
                    assert self.ordered[setl_id] <= self.wanted[setl_id], "nothing is ordered anew by itself"
                    assert amount_fen <= self.unfunded(setl_id), "the bank is asked for no more than is due"
                    assert setl_id not in self.doubted, "nor for a bill that does not add up"
            elif body["kind"] == "refund":
                for setl_id, amount_fen in self.asked[body["order_id"]]:
                    assert amount_fen <= self.too_much(setl_id), "nor is more sent back than came in too much"

    def _count(self, counts, order_id, more=1):
        for setl_id, _ in self.asked[order_id]:
            counts[setl_id] += more

    def _authorization(self, body):
        name = body["authorization_id"]
        if body["decision"] == "release":
            assert body["released_fen"] <= self.held.get(name, 0) or not body["released_fen"]
            self.held[name] = self.held.get(name, 0) - body["released_fen"]
            if body["state"] not in ("held", "part_captured"):
                self.ends[name] += 1
                self.held.pop(name)
            return
        if body["decision"] == "deny":
            return
        asked = body["requested_fen"]
        granted = min(asked, body["max_approvable_fen"])
        self.grown[name] = name in self.held
        if name not in self.held:
            self.places[name] += 1
        self.held[name] = self.held.get(name, 0) + granted
        self.pools[name] = body["service"]
        self.lenders[name] = body["agreement_no"]
        assert self.held[name] == body["held_fen"]

    def _capture(self, body):
        setl_id, name = body["setl_id"], body.get("authorization_id")
        if setl_id not in self.captured:
            taken = body.get("topped_up_fen", 0) + body.get("paid_fen", 0) + body["counter_return_fen"]
            self.waiting[body["mdtrt_id"]] -= taken
        if "capture_id" not in body:
            return  # nothing was captured
        assert body["captured_fen"] + body["top_up_fen"] == body["due_fen"], "money is conserved"
        if setl_id not in self.captured:
            self.opened.append(setl_id)
            self.paid[setl_id] += body["paid_fen"]  # paid at the counter before the bill
            self.topped[setl_id] = body["topped_up_fen"]
        else:
            self._changed(setl_id, body)
        self.captured[setl_id] = body["captured_fen"]
        if any(each["code"] == "DATA_QUALITY" for each in body["reasons"]):
            self.doubted.add(setl_id)
        self.wanted[setl_id] += 1
        self.standing[setl_id] = True
        if setl_id in self.given_up and self.owed(setl_id):
            told = [each["code"] for each in body["reasons"]]
            assert "BANK_REFUSED" in told, "what nobody asks the bank for is not said to be withheld"
        self.dues[setl_id] = max(self.dues[setl_id], body["due_fen"])
        self.services[setl_id] = body["service"]
        self.agreements[setl_id] = body["agreement_no"]
        if body["from_hold_fen"]:
            assert body["from_hold_fen"] <= min(self.held[name], body["captured_fen"])
            self.held[name] -= body["from_hold_fen"]
        if "released_fen" in body:
            assert self.held.pop(name) == body["released_fen"]
            self.ends[name] += 1

    def _changed(self, setl_id, body):
        """A bill with other amounts, or one that stands again: what was paid at the counter stays, or goes back."""
        kept = body["topped_up_fen"] + body["counter_return_fen"]
        if not self._is_line(body):
            assert kept + body["paid_fen"] == self.topped[setl_id] + self.paid[setl_id], "money is conserved"
            self.paid[setl_id] = body["paid_fen"]
        else:
            assert kept == self.topped[setl_id], "money is conserved"
            if not self.standing[setl_id] and self.moved[setl_id, "back"]:  # returned by the bank: owed again
                self.paid[setl_id] = min(self.paid[setl_id], self.net(setl_id))
        self.topped[setl_id] = body["topped_up_fen"]
        assert not body["counter_return_fen"] or not self._owes(body), "nothing goes back that is owed"

    def _owes(self, body):
        """Does the person still owe the institution something of this bill? A bank's line is the bank's."""
        if body["top_up_fen"] > body["topped_up_fen"]:
            return True
        return not self._is_line(body) and body["captured_fen"] - body["paid_fen"] > self.net(body["setl_id"])

    def _is_line(self, body):
        return not body["agreement_no"].startswith("card")

    def _payment(self, body):
        """Every fen of a payment is booked, waits for a bill, or is surplus; what was refunded is told elsewhere."""
        if body["given_back_by"] == "institution" and "order_id" in body:
            (setl_id,) = {item[0] for item in self.asked[body["order_id"]]}
            assert body["surplus_fen"] <= self.too_much(setl_id)
        elif "order_id" in body:
            self.excess_fen -= body["surplus_fen"]
        booked = 0
        for item in body["items"]:
            back = item.get("refunded_fen", 0)
            assert item["paid_fen"] <= self.owed(item["setl_id"]), "nobody pays more than is owed"
            if back and not self.agreements[item["setl_id"]].startswith("card"):
                self.paid[item["setl_id"]] += min(back, self.owed(item["setl_id"]))
            self.moved[item["setl_id"], "back"] += back
            self.paid[item["setl_id"]] += item["paid_fen"]
            self.topped[item["setl_id"]] += item["top_up_fen"]
            booked += item["paid_fen"] + item["top_up_fen"] + back
        elsewhere = body["surplus_fen"] + body.get("waiting_fen", 0) + body.get("unplaced_fen", 0)
        elsewhere += body.get("ordered_fen", 0)  # the refund's own result books it
        assert booked + elsewhere == body["amount_fen"], "money is conserved"
        self.waiting[body.get("mdtrt_id")] += body.get("waiting_fen", 0) - body.get("waited_fen", 0)

    def _reversal(self, body):
        setl_id, name = body["setl_id"], body["authorization_id"]
        self.standing[setl_id] = False
        at_counter = self.topped.pop(setl_id, 0)
        if self.agreements[setl_id].startswith("card"):
            at_counter += self.paid.pop(setl_id, 0)
        assert body["counter_return_fen"] == at_counter, "what was paid there for it goes back there"
        if body["reopened_fen"]:
            assert body["reopened_fen"] == body["reversed_fen"]
            self.places[name] += name not in self.held
            self.held[name] = self.held.get(name, 0) + body["reopened_fen"]
            self.pools[name] = body["service"]

    def bank(self, order_id, result, amount_fen):
        """The bank moved money of an order: to its items in their order."""
        if result not in ("settled", "partial") or self.kinds[order_id] == "cancel":
            return
        amount_fen = self.believed(order_id, amount_fen)
        for item in self.asked[order_id]:
            part = min(amount_fen, item[1])
            item[1] -= part
            amount_fen -= part
            self.moved[item[0], "back" if self.kinds[order_id] == "refund" else "in"] += part
            came_fen = self.net(item[0]) - self.beyond[item[0]]
            assert came_fen <= self.dues[item[0]], "settled orders less refunds come to no more than was due"
        self._returned(order_id)

    def believed(self, order_id, amount_fen):
        """No more goes back than came: what a bank returns beyond that is told, and nobody's money here."""
        if self.kinds[order_id] != "refund":
            return amount_fen
        believed_fen = min(amount_fen, self.net(self.asked[order_id][0][0]))
        self.excess_fen += amount_fen - believed_fen
        return believed_fen

    def _returned(self, order_id):
        """What a bank got back for a settlement that stands again was not repaid: it will lend it once more."""
        if self.kinds[order_id] != "refund":
            return
        self._count(self.wanted, order_id)
        for setl_id, _ in self.asked[order_id]:
            if self.standing[setl_id] and not self.agreements[setl_id].startswith("card"):
                self.paid[setl_id] = min(self.paid[setl_id], self.net(setl_id))

    def late(self, order_id, amount_fen):
        """The bank says later what it moved: what fits no item any more came for the first one."""
        kind = self.kinds[order_id]
        if kind == "cancel" or not amount_fen:
            return
        amount_fen = self.believed(order_id, amount_fen)
        side = "back" if kind == "refund" else "in"
        for item in self.asked[order_id]:
            part = min(amount_fen, item[1])
            item[1] -= part
            amount_fen -= part
            self.moved[item[0], side] += part
            self.beyond[item[0]] += part
        self.moved[self.asked[order_id][0][0], side] += amount_fen
        self.beyond[self.asked[order_id][0][0]] += amount_fen
        self._returned(order_id)

    def claim(self, setl_id):
        """What stands."""
        return self.captured[setl_id] if self.standing[setl_id] else 0

    def net(self, setl_id):
        """What orders brought, less what went back."""
        return self.moved[setl_id, "in"] - self.moved[setl_id, "back"]

    def owed(self, setl_id):
        """By the mode's own definition."""
        owed = self.claim(setl_id) - self.paid[setl_id]
        if self.agreements[setl_id].startswith("card"):
            owed -= self.net(setl_id)
        return max(0, owed)

    def unfunded(self, setl_id):
        """What the institution still lacks."""
        if self.agreements[setl_id].startswith("card"):
            return self.owed(setl_id)
        return max(0, self.claim(setl_id) - self.net(setl_id))

    def too_much(self, setl_id):
        """What the institution has beyond what stands."""
        paid = self.paid[setl_id] if self.agreements[setl_id].startswith("card") else 0
        return max(0, self.net(setl_id) - max(0, self.claim(setl_id) - paid))

    def held_in(self, service):
        """Held of a pool."""
        return sum(amount for name, amount in self.held.items() if self.pools[name] == service)

    def is_grown(self, name):
        """Was this hold there before its last approval?"""
        return self.grown[name]

    def exposure_of(self, agreement_no):
        """Held and used on one agreement, both pools."""
        held = sum(amount for name, amount in self.held.items() if self.lenders.get(name) == agreement_no)
        return held + sum(self.owed(each) for each in self.captured if self.agreements[each] == agreement_no)

    def used_in(self, service):
        """Used of a pool."""
        return sum(self.owed(setl_id) for setl_id in self.captured if self.services[setl_id] == service)
