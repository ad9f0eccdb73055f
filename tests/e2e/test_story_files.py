"""Story files are read strictly: what cannot be played as it is written is refused, naming file, step and word."""

import re

import pytest

from tests.e2e.stories.reading import FOLDER, StoryError, read_story
from tests.e2e.stories.vocabulary import DEEDS, ROWS, STEP, STORY, THEN

HEAD = 'title_zh = "一"\ntitle_en = "one"\nrests_on = ["ours"]\n'
SIGNS = (
    '[[step]]\nat = 2024-06-03T09:00:00\nwho = "patient"\ndoes = "signs"\nagreement = "card"\nbank = "B"\nby = "card"\n'
)
PASSES = '[[step]]\nat = 2024-06-03T09:00:00\nwho = "time"\ndoes = "passes"\n'


def refused(tmp_path, text):
    path = tmp_path / "tale.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StoryError) as error:
        read_story(path)
    return str(error.value)


def test_a_whole_story_is_read_and_its_yuan_are_fen(tmp_path):
    path = tmp_path / "tale.toml"
    path.write_text(HEAD + SIGNS + "then.limit_yuan = 12.3\nthen.orders = [{ kind = 'debit', yuan = 1 }]\n")
    (step,) = read_story(path).steps
    assert step.then == {"limit_fen": 1_230, "orders": [{"kind": "debit", "fen": 100}]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + SIGNS + "[step.then]\nhold_yuan = 1\n", "tale.toml, step 1, then: nobody knows hold_yuan"),
        (HEAD + SIGNS + "cash = 1\n[step.then]\n", "tale.toml, step 1: nobody knows cash"),
        (HEAD + SIGNS, "tale.toml, step 1: then missing"),
        (
            HEAD + PASSES.replace("passes", "flies") + "[step.then]\n",
            "tale.toml, step 1: nobody knows how 'time' 'flies'",
        ),
        (HEAD + SIGNS.replace('by = "card"', 'by = "IOU"') + "[step.then]\n", "tale.toml, step 1: by = 'IOU'"),
        (HEAD + SIGNS.replace('bank = "B"\n', "") + "[step.then]\n", "tale.toml, step 1: bank missing"),
        (HEAD + PASSES + "then.held_yuan = 0.005\n", "tale.toml, step 1, then: held_yuan = 0.005 is no amount in yuan"),
        (HEAD + PASSES + "then.held_yuan = -1\n", "tale.toml, step 1, then: held_yuan = -1 is no amount in yuan"),
        (HEAD + PASSES + "then.held_yuan = 'much'\n", "tale.toml, step 1, then: held_yuan = 'much' is not of the kind"),
        (HEAD + PASSES + "then.held_yuan = true\n", "tale.toml, step 1, then: held_yuan = True is not of the kind"),
        (HEAD + PASSES + "then.orders = [{ kind = 'debit' }]\n", "tale.toml, step 1, then, orders: yuan missing"),
        (HEAD + PASSES + "then.orders = ['debit']\n", "tale.toml, step 1, then: orders is a list of tables"),
        (
            HEAD + PASSES + "[step.then]\n" + PASSES.replace("09:", "08:") + "[step.then]\n",
            "tale.toml, step 2: 2024-06-03 08:00:00+08:00 is before the step above it",
        ),
        (HEAD.replace('["ours"]', "[]") + PASSES + "[step.then]\n", "tale.toml: rests_on must name the law or plan"),
        (HEAD + "moral = 'none'\n" + PASSES + "[step.then]\n", "tale.toml: nobody knows moral"),
        (HEAD + "[[step]\n", "tale.toml is no TOML"),
        (
            HEAD + PASSES + "then.bills = [{ bill = 'B1' }]\n",
            "tale.toml, step 1: no bill is called 'B1' so far",
        ),
        (HEAD, "tale.toml: step missing"),
        (HEAD + "step = []\n", "tale.toml tells nothing"),
    ],
)
def test_what_nobody_can_play_is_refused_where_it_stands(tmp_path, text, says):
    assert refused(tmp_path, text).startswith(says)


def test_the_page_for_people_explains_every_word_and_no_other():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in page.splitlines() if line.startswith("|")
    ]
    deeds = {(row[0], row[1]): row[2] for row in rows if len(row) == 4 and row[0] != "who" and set(row[0]) != {"-"}}
    assert deeds.keys() == DEEDS.keys()
    for deed, words in DEEDS.items():
        said = set(re.findall(r"[a-z_]+", re.sub(r"\([^)]*\)", "", deeds[deed])))
        assert said == words.needed | words.allowed, deed
    expected = {word.strip() for row in rows if len(row) == 2 for word in row[0].split(",")} - {"word", "---"}
    assert expected == THEN
    told = set(re.findall(r"[a-z_]+", page))
    row_words = {word for words in ROWS.values() for word in words.needed | words.allowed}
    assert (STEP | STORY | row_words) - told == set()
