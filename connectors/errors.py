"""A foreign failure: something outside did not do its part.

It is raised in connectors/ only and caught in streams/ only.
"""


class ConnectorError(Exception):
    """`system` failed with `detail`. `retryable` says whether the same call may succeed later, nobody acting."""

    def __init__(self, system: str, detail: str, *, retryable: bool) -> None:
        super().__init__(f"{system}: {detail}")
        self.system = system
        self.detail = detail
        self.retryable = retryable
