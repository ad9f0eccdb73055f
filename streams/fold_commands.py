"""`xinmai fold activate`: the switch to this release's fold, and what an operator does next."""

from typing import TYPE_CHECKING

import orjson

from risk.person_fold import FOLD_VERSION
from streams.logging_setup import log_to_stderr
from streams.shards import FIRST_FOLD

if TYPE_CHECKING:
    from streams.settings import Settings

NEXT = (
    "旧版本的 lane 在此停下：停掉旧 worker，用旧版本运行 XINMAI_SNAPSHOTS=DIR xinmai verify（写出切换快照），"
    "再以同一目录启动本版本",
    "lanes of older releases stop there: end the old workers; with the OLD release run XINMAI_SNAPSHOTS=DIR xinmai "
    "verify, which writes the switch snapshot; then start this release with the same XINMAI_SNAPSHOTS",
)


def activate(settings: "Settings", *, as_json: bool) -> int:
    """Append the switch, or say that the first fold needs none."""
    from streams.activate import activate_fold

    log_to_stderr()
    is_first = FOLD_VERSION == FIRST_FOLD
    if not is_first:
        activate_fold(settings)
    if as_json:
        print(orjson.dumps({"fold_version": FOLD_VERSION, "appended": not is_first}).decode())
    elif is_first:
        print("本版本使用第一代 fold，无需切换 / this release folds by the first fold: nothing to switch")
    else:
        print(f"fold {FOLD_VERSION} is in every partition of both logs")
        print("\n".join(NEXT))
    return 0
