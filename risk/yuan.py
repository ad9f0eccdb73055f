"""Fen as people read them: yuan with two decimals. For sentences only; amounts stay whole fen everywhere else."""


def yuan(amount_fen: int) -> str:
    """`1,234.50`; the unit is the sentence's."""
    sign = "-" if amount_fen < 0 else ""
    whole, cents = divmod(abs(amount_fen), 100)
    return f"{sign}{whole:,}.{cents:02d}"
