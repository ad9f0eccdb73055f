"""Fen as people read them: yuan with two decimals. For sentences only; amounts stay whole fen everywhere else."""


def yuan(amount_fen: int) -> str:
    """`1,234.50`; the unit is the sentence's."""
    sign = "-" if amount_fen < 0 else ""
    whole, cents = divmod(abs(amount_fen), 100)
    return f"{sign}{whole:,}.{cents:02d}"


def yuan_x1000000(price: int) -> str:
    """A unit price as it was told: `12.50`, and `0.0125` where it is no whole fen."""
    parts = f"{price % 1_000_000:06d}".rstrip("0").ljust(2, "0")
    return f"{price // 1_000_000:,}.{parts}"
