"""Who asked about whom: what the API tells of every credit query, beside the record of it on `queries.v1`."""

from typing import Annotated, Literal

from msgspec import Meta

from risk.facts.base import SubjectFact, Whole

Purpose = Literal["checkout", "self", "supervision", "dispute", "audit"]


class QueryLogged(SubjectFact, frozen=True, kw_only=True, tag="query.logged"):
    """Somebody asked how a person stands, and may be told or not; `event_id` is the `query_id` on `queries.v1`.

    It is written before the answer: `answered` is what is called `allowed` there, whether or not it was told.

    `names_authorization`: an authorization of this person at the asker's institution, looked up when it was asked.

    `person` is 53 bits of a hash: enough to tell people apart, and as a number exact in every reader of JSON.
    """

    asked_by: Annotated[str, Meta(min_length=1)]
    person: Whole
    purpose: Purpose
    outcome: Literal["answered", "denied"]
    names_authorization: bool = False

    @property
    def shard_key(self) -> str:
        """The asker's own: the name of his token."""
        return self.asked_by
