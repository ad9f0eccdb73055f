"""The command groups of `xinmai`: topics, deadletters, orders, show, policy, simulate. They only hand on the words."""

from pathlib import Path
from typing import Literal

from cyclopts import App

from streams.command_words import Format, Json, settings

topics = App(name="topics", help="Create the topics, or check that they keep what they must keep.")
deadletters = App(name="deadletters", help="What was refused, and sending it again.")
orders = App(name="orders", help="Stop and restart orders to the bank; works within a second.")
show = App(name="show", help="One subject, or the prices of one drug, as Redis has it now.")
policy = App(name="policy", help="The dated, cited rules: check, show, activate.")
fold = App(name="fold", help="The switch to another fold: a release that decides or packs otherwise.")
peers = App(name="peers", help="What institutions and doctors have in common, for the rules that compare them.")
simulate = App(name="simulate", help="Worlds to try the engine on.")


@topics.command(name="create")
def topics_create(*, json: Json = False) -> int:
    """Create the missing topics, with the first policy as record 0 of every partition."""
    from streams.topics import create

    return create(settings(), as_json=json)


@topics.command(name="check")
def topics_check(*, json: Json = False) -> int:
    """Fail (exit 1) on less retention, replication or partitions than the log needs."""
    from streams.topics import check

    return check(settings(), as_json=json)


@deadletters.command(name="list")
def deadletters_list(*, json: Json = False) -> int:
    """What was refused: reason, origin, and the line to resend."""
    from streams.deadletters import run_list

    return run_list(settings(), as_json=json)


@deadletters.command(name="retry")
def deadletters_retry(*ids: str, json: Json = False) -> int:
    """Send refused canonical records again: those named, or all that can be retried."""
    from streams.deadletters import run_retry

    return run_retry(settings(), ids, as_json=json)


@orders.command(name="pause")
def orders_pause(*, bank: str | None = None, institution: str | None = None, json: Json = False) -> int:
    """No order leaves until `resume`: all, those of one bank, or those to one institution."""
    from streams.orders import run_pause

    return run_pause(settings(), bank=bank, institution=institution, as_json=json)


@orders.command(name="resume")
def orders_resume(*, bank: str | None = None, institution: str | None = None, json: Json = False) -> int:
    """Let paused orders leave again."""
    from streams.orders import run_resume

    return run_resume(settings(), bank=bank, institution=institution, as_json=json)


@orders.command(name="line")
def orders_line(psn_no: str, /, *, json: Json = False) -> int:
    """Ask a person's banks what they lend now; what differs from the log is appended. Exit 1 when one does not say."""
    from streams.bank_lines import run_line

    return run_line(settings(), psn_no, as_json=json)


@orders.command(name="reconcile")
def orders_reconcile(*, date: str, bank: str | None = None, statement: Path | None = None, json: Json = False) -> int:
    """The bank's statement of a day against the log, to the fen. Exit 0 equal, 1 differences, 2 could not run.

    Args:
        date: The local day, `2026-04-01`.
        bank: One bank only; without it every bank that was given orders.
        statement: A file (or `-`, stdin), NDJSON or CSV, instead of asking; without --bank it is that of all banks.
    """
    from streams.reconcile import run_reconcile

    return run_reconcile(settings(), day=date, bank=bank, statement=statement, as_json=json)


@show.command(name="person")
def show_person(subject_id: str, /, *, json: Json = False) -> int:
    """Visits, windows, credit and open holds of one insured person.

    Among the open alerts are those that last (L80); one about a single event (P13) is told once: `xinmai alerts`.
    """
    from streams.show import run_show

    return run_show(settings(), "person", subject_id, as_json=json)


@show.command(name="institution")
def show_institution(subject_id: str, /, *, json: Json = False) -> int:
    """Windows of one hospital or pharmacy."""
    from streams.show import run_show

    return run_show(settings(), "institution", subject_id, as_json=json)


@show.command(name="staff")
def show_staff(subject_id: str, /, *, json: Json = False) -> int:
    """Windows of one doctor, pharmacist, nurse or technician."""
    from streams.show import run_show

    return run_show(settings(), "staff", subject_id, as_json=json)


@show.command(name="prices")
def show_prices(med_list_codg: str, region: str, /, *, json: Json = False) -> int:
    """What the institutions of a prefecture last paid and asked for a drug: median, spread, how many.

    Args:
        med_list_codg: The drug's code.
        region: The first four digits of an area code, `4305`.
    """
    from streams.show_prices import run_prices

    return run_prices(settings(), med_list_codg, region, as_json=json)


@policy.command(name="check")
def policy_check(directory: Path | None = None, *, json: Json = False) -> int:
    """Parse a policy directory strictly. Exit 1 with every error: file, entry, why, and what to do."""
    from streams.policy_commands import check

    return check(directory, as_json=json)


@policy.command(name="show")
def policy_show(
    name: str | None = None, *, directory: Path | None = None, day: str | None = None, json: Json = False
) -> int:
    """What the policy's files say on a day, with sources and a worked example each; with a name, all about that one.

    It reads the directory, not the log: a running engine goes by what was activated last.

    Args:
        name: One rule or parameter, such as P13 or visit_hold_after_day_ms; without it, all that hold on the day.
        directory: A policy directory; the configured one if not given.
        day: `2026-04-01`; today in Shanghai if not given.
    """
    from streams.policy_commands import show

    return show(directory, name, day=day, as_json=json)


@policy.command(name="activate")
def policy_activate(directory: Path, *, json: Json = False) -> int:
    """Append the policy to every partition of both logs: from there on it is the one in force."""
    from streams.policy_commands import activate

    return activate(settings(), directory, as_json=json)


@fold.command(name="activate")
def fold_activate(*, json: Json = False) -> int:
    """Append the switch to this release's fold to every partition: lanes of older releases stop there.

    Then, with the older release: stop its workers, and run its `xinmai verify` with XINMAI_SNAPSHOTS set, which writes
    the switch snapshot. Then start this release, with the same XINMAI_SNAPSHOTS.
    """
    from streams.fold_commands import activate

    return activate(settings(), as_json=json)


@peers.command(name="publish")
def peers_publish(*, on: str | None = None, json: Json = False) -> int:
    """Append what the days before a date had in common, of every measure that a rule in force compares.

    Args:
        on: The local date, `2026-04-01`; today if not named. Its own bills are not looked at.
    """
    from streams.peers import run_peers_publish

    return run_peers_publish(settings(), on=on, as_json=json)


@simulate.command(name="city")
def simulate_city(
    *, people: int = 10_000, institutions: int = 40, days: int = 1, speed: float = 0.0, seed: int = 1,
    start: str | None = None, visits_per_year: float = 4.8, signed_percent: float = 30.0, late_percent: float = 1.0,
    duplicate_percent: float = 1.0, plants: int = 1, format: Format = "canonical", out: str = "-",
    labels: Path | None = None, into: Literal["kafka", "http"] | None = None,
    books: bool = False, differences: int = 0, json: Json = False,
) -> int:  # fmt: skip
    """A seeded city: visits, fees, settlements, reversals, agreements, and labelled misconduct.

    Args:
        people: Insured persons; a clinic has 500, a province 65,000,000.
        institutions: Hospitals and pharmacies together.
        days: Local days to simulate.
        speed: Simulated seconds per second; 0 as fast as possible.
        seed: The same seed gives the same bytes.
        start: First local day, `2026-03-01`; without it the last day is yesterday.
        visits_per_year: Visits per person and year (4.8 is the national mean).
        signed_percent: Share of persons with agreement, level and commitment.
        late_percent: Share of visits whose messages arrive hours late.
        duplicate_percent: Share of messages sent twice.
        plants: How often each kind of misconduct is planted; 0 none.
        format: `canonical` events or `national` messages. National messages carry no bank and no authority facts.
        out: File to write, `-` for stdout. Not used with --into.
        labels: File for what was planted: {rule, level, subject, day, event_ids, verdict, why, ends_ms} per
            line. Verdict `planted` must be found; `below` the threshold and `innocent` twins must not.
        into: Send into the running engine, by Kafka or by HTTP, instead of writing.
        books: Start an engine under the log's clock, live the city in it over HTTP with banks that fail, and compare
            every day's log with the banks' statements. Exit 1 when they differ.
        differences: With --books: plant so many in the statements at the end; they must be named, and nothing else.
    """
    from streams.city.command import plan_from, run_city

    plan = plan_from(
        start=start, people=people, institutions=institutions, days=days, seed=seed, visits_per_year=visits_per_year,
        signed_percent=signed_percent, late_percent=late_percent, duplicate_percent=duplicate_percent, plants=plants,
        checkout=books or into == "http",
    )  # fmt: skip
    if books:
        from streams.city.books_command import run_books

        return run_books(plan, differences=differences, as_json=json)
    return run_city(plan, form=format, out=out, labels_file=labels, into=into, speed=speed, as_json=json)
