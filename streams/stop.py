"""An ending that a person reads as one line, not as a traceback: what is wrong and what to do, in two languages."""


class Stop(Exception):
    """Ends a command. `exit_code` 1: it found something wrong; 2: it could not run."""

    def __init__(self, zh: str, en: str, exit_code: int = 2) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh = zh
        self.en = en
        self.exit_code = exit_code
