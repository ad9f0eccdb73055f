"""The same job, the same events, the same real Kafka: ours, a Faust agent, Quix Streams, Bytewax. See harness.py."""

from benchmarks.report import Report


def run(quick: bool) -> Report:
    """Run every peer once, one after the other."""
    from benchmarks.peers.harness import run_peers

    return run_peers(quick)
