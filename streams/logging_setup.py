"""Where libraries' log lines go in our commands: stderr, so that stdout carries answers only."""

import sys


def log_to_stderr() -> None:
    """Send structlog's lines to stderr; a retry that is expected (a topic just created) is no news."""
    import stamina.instrumentation
    import structlog

    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(30),
    )
    stamina.instrumentation.set_on_retry_hooks(())
