"""Where libraries' log lines go in our commands: stderr, so that stdout carries answers only."""

import sys


def log_to_stderr() -> None:
    """Send structlog's lines (stamina's retries among them) to stderr."""
    import structlog

    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(30),
    )
