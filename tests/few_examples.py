"""Settings of property tests."""

from hypothesis import HealthCheck, Phase, settings


def examples(number):
    """Few examples, the same ones each time; failing ones are not made smaller, which is slow."""
    phases = [Phase.explicit, Phase.generate]
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        phases=phases,
        suppress_health_check=slow,
    )
