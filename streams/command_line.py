"""`xinmai`: every command of contract.md, "Command line". Names, options and exit codes live here, the work elsewhere.

Exit codes: 0 done, 1 found something wrong, 2 could not run. Bodies are imported when called: `--help` loads no Kafka.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from streams.command_alerts import alerts
from streams.command_groups import deadletters, fold, orders, peers, policy, show, simulate, topics
from streams.command_words import Format, Json, settings


def _version() -> str:
    from importlib.metadata import version

    return version("xinmai")


app = App(
    name="xinmai",
    help="信脉 Xinmai: real-time credit for medical insurance — warnings, holds, captures and withholding.",
    default_parameter=Parameter(negative=()),
    version=_version,
    version_flags=("--version",),
    help_format="plaintext",
)
for group in (alerts, topics, deadletters, orders, show, policy, peers, fold, simulate):
    app.command(group)


@app.command
def up(*, json: Json = False) -> int:
    """Run everything on this machine: broker, Redis, worker, API and bank simulator. Ctrl-C stops all of it."""
    from streams.up import run_up

    return run_up(as_json=json)


@app.command
def demo(*, seconds: Annotated[float | None, Parameter(validator=Number(gt=0))] = None, json: Json = False) -> int:
    """`up`, a simulated city, and what there is to look at.

    Args:
        seconds: End by itself after so many seconds; without it, on Ctrl-C.
    """
    from streams.demo import run_demo

    return run_demo(seconds=seconds, as_json=json)


@app.command
def worker() -> int:
    """Run one worker: lanes that judge, agents that talk to the outside world."""
    from streams.app import run_worker

    return run_worker(settings()) or 0


@app.command
def api() -> int:
    """Run one checkout API process."""
    from streams.api import run_api

    return run_api(settings()) or 0


@app.command
def ingest(file: str, *, format: Format = "canonical", json: Json = False) -> int:
    """Send a file of events (or `-`, stdin), one JSON object per line. Exit 1 if a line was refused.

    Args:
        file: Path of the file, or `-`.
        format: `canonical` events, or `national` messages (国家医保平台交易报文).
    """
    from streams.ingest import run_ingest

    return run_ingest(settings(), file, format=format, as_json=json)


@app.command
def bench(name: str, *, quick: bool = False, fresh: bool = False, json: Json = False) -> int:
    """Run one benchmark: peers, engine, catalogue, latency, authorize, memory, rebuild, redis, city, detection, rules.

    Args:
        quick: A small load, to see that it runs; its numbers are worth nothing.
        fresh: Cities nobody looked at while the rules were written (detection only).
    """
    from streams.bench import run_bench

    return run_bench(name, quick=quick, as_json=json, fresh=fresh)


@app.command
def verify(*, outputs: bool = False, json: Json = False) -> int:
    """Fold the log again and compare it with Redis, byte for byte. Exit 1 naming what differs.

    Args:
        outputs: Also compare every derived output with its topic.
    """
    from streams.verify import verify as run

    return _code(run(settings(), outputs=outputs, as_json=json))


@app.command
def rebuild(*, json: Json = False) -> int:
    """Empty each shard in Redis and fill it from the log, up to where its outputs are out; publishes nothing.

    Stop the workers first; what waits in the log is theirs when they start. Pauses of bank orders are in no log: if
    Redis was emptied, set them again with `xinmai orders pause` before the workers start.
    """
    from streams.rebuild import rebuild as run

    return _code(run(settings(), as_json=json))


@app.command
def replay(*, policy: Path, json: Json = False) -> int:
    """Fold the log again under another policy, in memory, and say which alerts and decisions would be different.

    Nothing is published and Redis is left alone; lanes may run. Exit 0: nothing would differ; 1: something would.

    Args:
        policy: The other policy's directory.
    """
    from streams.replay import run_replay

    return run_replay(settings(), policy, as_json=json)


@app.command
def shadow(*, policy: Path, json: Json = False) -> int:
    """Let another policy observe beside the live one, and name each alert and decision that would be different.

    It starts at the log's beginning and goes on until Ctrl-C; then it prints the differences. Nothing is published.
    Exit 0: nothing would differ; 1: something would.

    Args:
        policy: The other policy's directory.
    """
    from streams.shadow import run_shadow, until_interrupted

    return run_shadow(settings(), policy, stopped=until_interrupted(), as_json=json)


def _code(answer: Any) -> int:
    return answer if isinstance(answer, int) and not isinstance(answer, bool) else 0


def main(arguments: list[str] | None = None) -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command; the exit code. A failure we expect is one line on stderr, a bug is a traceback."""
    try:
        answer = app(_with_dashes(arguments), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _complain(_misspelt(error))
    except KeyboardInterrupt:
        return _complain("已中断，未全部完成 / stopped before the end")
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except SystemExit as ending:
        return _complain(str(ending.code)) if isinstance(ending.code, str) else int(ending.code or 0)
    except Exception as error:
        return _failed(error)
    return _code(answer)


def _with_dashes(arguments: list[str]) -> list[str]:
    """The parser takes a lone dash for an option. It is the file of `ingest`, or the value of the option before it."""
    told: list[str] = []
    file = list[str]()
    for each in arguments:
        if each != "-" or "--" in told:
            told.append(each)
        elif told[:1] == ["ingest"] and told[-1] != "--format":
            file = [*(file or ["--"]), "-"]
        elif told and told[-1].startswith("--"):
            told[-1] += "=-"
        else:
            told.append(each)
    return told + file


def _misspelt(error: CycloptsError) -> str:
    why = str(error).replace(", ...", " …").rstrip()
    why = why if why.endswith(("?", "…")) else f"{why.rstrip('.')}."
    return f"命令行参数有误 / bad command line: {why} Try: {' '.join(('xinmai', *(error.command_chain or ())))} --help"


def _failed(error: Exception) -> int:
    from streams.stop import Stop

    if isinstance(error, Stop):
        return _complain(f"{error.zh} / {error.en}", error.exit_code)
    room = type(error).__module__.split(".")[0]
    if room in {"risk", "connectors", "streams"} or isinstance(error, FileNotFoundError):
        return _complain(f"未能运行 / could not run: {error}")
    import traceback

    traceback.print_exc()
    return 2


def _complain(sentence: str, exit_code: int = 2) -> int:
    print("xinmai: " + " ".join(sentence.split()), file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    main()
