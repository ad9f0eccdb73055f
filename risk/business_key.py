"""The key that a repetition of a standing, agreement, bank or counter fact shares with its first; not of a visit's."""

from risk.facts import BankCured, BankOrderResult, BankOverdue, BankRefunded, BankRepaid, Fact, TopupReceived


def business_key(fact: Fact) -> str:
    """As contract.md has it, "Duplicates"."""
    match fact:
        case TopupReceived():
            return f"topup|{fact.fixmedins_code}|{fact.channel}|{fact.ref}"
        case BankOrderResult():
            return f"result|{fact.order_id}|{fact.attempt}|{fact.result}"
        case BankRepaid() | BankRefunded() | BankOverdue() | BankCured():
            return f"{fact.event_type}|{fact.agreement_no}|{fact.bank_ref}"
    return fact.event_id
