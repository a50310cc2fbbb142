"""Several measurements taken in turns, so that a change of the machine's mood meets all of them."""

from collections.abc import Callable, Sequence

Measure = Callable[[], float]


def in_turns(rounds: int, *measures: Measure | None) -> list[tuple[float, ...]]:
    """A sample of each in every round: A B A B ...; one that is None stays empty."""
    samples: Sequence[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for measure, found in zip(measures, samples, strict=True):
            if measure is not None:
                found.append(measure())
    return [tuple(found) for found in samples]
