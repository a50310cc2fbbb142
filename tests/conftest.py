"""Profiles for hypothesis, and how many processes the tests are spread over.

The examples are the same at every run; `HYPOTHESIS_PROFILE=long` looks further, at random.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two to four processes for the whole suite; one for chosen tests, which are sooner done and easier to read so."""
    if config.args_source is not config.ArgsSource.TESTPATHS or config.option.keyword or config.option.collectonly:
        return 0
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(processors, 2), 4)
