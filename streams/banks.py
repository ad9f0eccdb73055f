"""The banks of the settings: a file with an entry a bank, one gateway for all others, or both."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from connectors.bank import BankAccess, BankGateway
from connectors.bank_access import read_banks
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings


def bank_gateway(settings: "Settings") -> BankGateway:
    """The client of all banks; an order to a bank that nobody names waits."""
    return BankGateway(named_banks(settings), other_banks=other_banks(settings))


def bank_keys(settings: "Settings") -> Callable[[str], str]:
    """The key that a bank signs its notices with; "": it has none, and is not heard."""
    named, others = named_banks(settings), other_banks(settings)

    def key_of(bank_code: str) -> str:
        access = named.get(bank_code, others)
        return access.secret if access is not None else ""

    return key_of


def named_banks(settings: "Settings") -> dict[str, BankAccess]:
    """The banks that have an address and a key of their own."""
    if settings.banks_file is None:
        return {}
    try:
        return read_banks(settings.banks_file)
    except (OSError, ValueError) as error:
        raise Stop(f"银行配置文件有误：{error}", f"XINMAI_BANKS cannot be used: {error}") from error


def other_banks(settings: "Settings") -> BankAccess | None:
    """The one gateway for every bank without an entry."""
    if not settings.bank:
        return None
    if not settings.bank_secret:
        raise Stop("请设置 XINMAI_BANK_SECRET：发往银行的指令必须签名", "set XINMAI_BANK_SECRET: orders are signed")
    return BankAccess(url=settings.bank, secret=settings.bank_secret)
