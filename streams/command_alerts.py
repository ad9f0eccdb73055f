"""The command group `xinmai alerts`: reading alerts, saying what is done about them. It only hands on the words."""

from typing import Annotated, Literal

from cyclopts import App, Parameter

from streams.command_words import Json, settings

alerts = App(name="alerts", help="The alerts, and what was done about them.")

By = Annotated[str | None, Parameter(help="Who says so; the name of this machine's user if not given.")]


@alerts.default
def alerts_read(
    *, follow: bool = False, limit: int = 50, rule: str | None = None, suppressed: bool = False,
    notice: str | None = None, json: Json = False,
) -> int:  # fmt: skip
    """The newest alerts, oldest first.

    Args:
        follow: Stay and print each new one.
        limit: At most so many of the past.
        rule: Only this rule, such as P03.
        suppressed: Only those that came under a suppression: nobody was woken by them.
        notice: Only the members of this message or summary, nt_…, as its link names it.
    """
    from streams.alerts_reader import Wanted, run_alerts

    wanted = Wanted(rule_id=rule, suppressed=suppressed, notice_id=notice)
    return run_alerts(settings(), wanted, follow=follow, limit=limit, as_json=json)


@alerts.command(name="suppress")
def alerts_suppress(
    *, reason: str, rule: str | None = None, person: str | None = None, staff: str | None = None,
    institution: str | None = None, hours: int | None = None, until: str | None = None, by: By = None,
    json: Json = False,
) -> int:  # fmt: skip
    """Tell nobody of some alerts for a while. They are raised and shown as ever; when it ends, a summary names them.

    Args:
        reason: Why, for those who read it later. It is kept for ever: no name of an insured person.
        rule: Only of this rule, such as P03.
        person: Only about this insured person (psn_no).
        staff: Only about this doctor, pharmacist, nurse or technician.
        institution: Only about, or from visits to, this institution.
        hours: It ends in so many hours; or give --until.
        until: It ends then, `2026-04-01T08:00+08:00`.
    """
    from streams.alert_acts import Scope, run_suppress

    scope = Scope(rule or "", person or "", staff or "", institution or "")
    return run_suppress(settings(), scope, reason=reason, hours=hours, until=until, by=by, as_json=json)


@alerts.command(name="unsuppress")
def alerts_unsuppress(suppression_id: str, /, *, reason: str = "", by: By = None, json: Json = False) -> int:
    """End a suppression before its time; within a minute a summary names what it withheld."""
    from streams.alert_acts import run_unsuppress

    return run_unsuppress(settings(), suppression_id, reason=reason, by=by, as_json=json)


@alerts.command(name="suppressions")
def alerts_suppressions(*, json: Json = False) -> int:
    """Every suppression: whose, of what, until when, why, and whether it still holds."""
    from streams.alert_acts import run_suppressions

    return run_suppressions(settings(), as_json=json)


@alerts.command(name="ack")
def alerts_ack(*alert_ids: str, note: str = "", by: By = None, json: Json = False) -> int:
    """Say that somebody looks after these alerts: they are not escalated."""
    from streams.alert_acts import run_ack

    return run_ack(settings(), alert_ids, note=note, by=by, as_json=json)


@alerts.command(name="verdict")
def alerts_verdict(
    alert_id: str, verdict: Literal["confirmed", "false"], /, *, note: str = "", by: By = None, json: Json = False
) -> int:
    """Say what an alert was found to be. It measures the rule; no credit record is written by it.

    Args:
        alert_id: The alert, al_…
        verdict: `confirmed`, or `false`: there was nothing in it. The latest word counts.
        note: Why.
    """
    from streams.alert_acts import run_verdict

    return run_verdict(settings(), alert_id, verdict, note=note, by=by, as_json=json)


@alerts.command(name="precision")
def alerts_precision(*, json: Json = False) -> int:
    """Per rule: alerts, judged, confirmed, false, precision, and its policy's floor. Exit 1 when a rule is below."""
    from streams.alert_precision import run_precision

    return run_precision(settings(), as_json=json)
