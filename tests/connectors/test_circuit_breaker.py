"""The fuse before a foreign system."""

from connectors.circuit_breaker import CircuitBreaker


class Clock:
    """A clock that is set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_after_three_failures_in_a_row_nobody_calls_until_the_rest_is_over():
    clock = Clock()
    breaker = CircuitBreaker(failures_max=3, rest_s=5.0, clock=clock)
    for _ in range(3):
        assert breaker.allows()
        breaker.failed()
    assert breaker.is_open
    assert not breaker.allows()
    clock.now_s = 5.0
    assert breaker.allows()


def test_after_the_rest_exactly_one_call_tries_and_its_success_closes_the_circuit():
    clock = Clock()
    breaker = CircuitBreaker(failures_max=1, rest_s=5.0, clock=clock)
    breaker.failed()
    clock.now_s = 6.0
    assert breaker.allows()
    assert not breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert not breaker.is_open


def test_a_failed_try_rests_again():
    clock = Clock()
    breaker = CircuitBreaker(failures_max=1, rest_s=5.0, clock=clock)
    breaker.failed()
    clock.now_s = 6.0
    assert breaker.allows()
    breaker.failed()
    clock.now_s = 10.0
    assert not breaker.allows()


def test_a_success_forgets_earlier_failures():
    breaker = CircuitBreaker(failures_max=2, rest_s=5.0, clock=Clock())
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.allows()
