"""`xinmai demo`, as `make demo` runs it: everything that it promises to show is seen, and it ends by itself."""

import json
import os
import subprocess
import sys

import pytest

from streams.demo import TOPIC_OF

pytestmark = pytest.mark.slow
SECONDS = 40


def test_the_demo_shows_everything_that_it_promises(tmp_path):
    command = [sys.executable, "-m", "streams.command_line", "demo", "--seconds", str(SECONDS), "--json"]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS + 120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["ids"].keys() == TOPIC_OF.keys()
