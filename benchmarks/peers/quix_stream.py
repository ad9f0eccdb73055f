"""The job in Quix Streams: one process, its own RocksDB state, changelog topics off (the faster setting)."""

import os

from quixstreams import Application
from rolling_sum import REARM_FEN, THRESHOLD_FEN, WINDOW_MS, alert_of, at_ms_of


def judge(event, state):
    """The alert, or None. The state is the window's rows, its sum, and whether an episode is open."""
    rows, total_fen, is_open = state.get("sum", default=[[], 0, False])
    at_ms, amount_fen = at_ms_of(event), event["medfee_sumamt_fen"]
    gone = 0
    while gone < len(rows) and rows[gone][0] <= at_ms - WINDOW_MS:
        total_fen -= rows[gone][1]
        gone += 1
    is_open = is_open and total_fen >= REARM_FEN
    rows = rows[gone:]
    rows.append([at_ms, amount_fen])
    total_fen += amount_fen
    opens = not is_open and total_fen >= THRESHOLD_FEN
    state.set("sum", [rows, total_fen, is_open or opens])
    return alert_of(event) if opens else None


def main():
    """Run until killed."""
    app = Application(
        broker_address=os.environ["PEER_BOOTSTRAP"],
        consumer_group=os.environ["PEER_GROUP"],
        auto_offset_reset="earliest",
        state_dir=os.environ["PEER_STATE"],
        use_changelog_topics=False,
        auto_create_topics=False,
        loglevel="WARNING",
    )
    events = app.topic(os.environ["PEER_IN"], value_deserializer="json", key_deserializer="str")
    alerts = app.topic(os.environ["PEER_OUT"], value_serializer="json", key_serializer="str")
    frame = app.dataframe(events)
    frame = frame.apply(judge, stateful=True)
    frame = frame.filter(lambda alert: alert is not None)
    frame.to_topic(alerts)
    app.run()


if __name__ == "__main__":
    main()
