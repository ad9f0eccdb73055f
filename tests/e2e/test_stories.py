"""The stories of tests/cases/stories, played in a whole engine over HTTP, Kafka, Redis and a bank.

Beside them some that lie on purpose: a story must be able to fail, and say where and why.
"""

from pathlib import Path

import pytest

from connectors.embedded import RedisServer
from tests.e2e.stories.playing import first_ms, play
from tests.e2e.stories.reading import read_stories
from tests.e2e.stories.stage import a_stage

pytestmark = pytest.mark.slow
STORIES = read_stories()
NAMED = {  # issue 3, acceptance line 3
    "outpatient_happy_path",
    "partial_with_top_up_at_the_counter",
    "paid_by_cash_although_signed",
    "inpatient_accrual_over_the_line",
    "partial_refund_2208_2207",
    "reversal_after_withholding",
    "refund_after_repayment",
    "bank_time_out_after_success",
    "overdue_suspended_repaid_resumed",
    "bank_outage",
    "dispute_holds_and_releases",
    "level_drops_mid_stay",
    "line_cut_mid_stay",
    "two_agreements",
    "card_and_credit_line_side_by_side",
    "shaoyang_before_and_after_2024_05_01",
    "deceased",
}
LIES = {  # what is changed in outpatient_happy_path -> (step, what of `then`, what the runner must say)
    "a_fen_more_approved": (
        "asks for credit",
        {"approved_fen": 268_01},
        "approved_yuan: expected 268.01 yuan, got 268.00 yuan",
    ),
    "another_sentence_at_the_counter": (
        "asks for credit",
        {"clerk_reads": "可以"},
        "clerk_reads: expected 可以, got ",
    ),
    "money_that_moves_unsaid": (
        "passes",
        {"orders": None},
        "orders: expected nothing, got debit fen 268.00 yuan attempt 1 agreement card",
    ),
    "a_debt_that_stays": (
        "passes",
        {"bills": [{"bill": "B1", "repayment": "overdue"}]},
        "B1, repayment: expected overdue, got paid",
    ),
}


def lied(name):
    """The happy path with one step's expectations changed; the last step of that deed. None: left unsaid."""
    happy = next(story for story in STORIES if story.name == "outpatient_happy_path")
    does, changes, _ = LIES[name]
    target = [step for step in happy.steps if step.does == does][-1]
    then = {key: value for key, value in (target.then | changes).items() if value is not None}
    steps = tuple(step._replace(then=then) if step is target else step for step in happy.steps)
    return happy._replace(name=name, steps=steps)


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.kafka)])
def played(request, tmp_path_factory):
    """By story, what went otherwise than told. Only the stories that were asked for are played."""
    real, redis = {}, RedisServer("any")
    if request.param == "real":
        kafka = request.getfixturevalue("real_kafka").bootstrap
        real = {"XINMAI_KAFKA": kafka, "XINMAI_REDIS": redis.start().url, "XINMAI_PREFIX": "stories."}
    here = [item for item in request.session.items if item.path == Path(__file__) and hasattr(item, "callspec")]
    chosen = {getattr(value, "name", value) for item in here for value in item.callspec.params.values()}
    stories = [story for story in STORIES if story.name in chosen] + [lied(name) for name in LIES if name in chosen]
    with a_stage(tmp_path_factory.mktemp("stories"), first_ms(stories), real) as stage:
        yield play(stage, stories)
    redis.stop()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_it_goes_as_the_story_tells(played, story):
    if played[story.name]:
        pytest.fail("\n".join([f"{story.title_zh} · {story.title_en}", *played[story.name]]), pytrace=False)


@pytest.mark.parametrize("name", list(LIES))
def test_a_story_that_tells_otherwise_fails_and_says_where(played, name):
    (said,) = {line.replace(", as the counter was told", "") for line in played[name]}
    assert said.startswith(f"{name}, step ")
    assert said.endswith(f" {LIES[name][0]}): {LIES[name][2]}")


def test_every_named_story_has_a_file():
    assert NAMED - {story.name for story in STORIES} == set()
