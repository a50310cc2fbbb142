"""Run opperlite and what people would use instead on the same work in turns; print a table of what was found."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from opperlite import __version__
from tests.benchmarks import (
    application,
    backups,
    clips,
    connections,
    downloads,
    latencies,
    machine,
    memory,
    pictures,
    rates,
    report,
    scale,
    speech,
    starting,
    uploads,
)
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.report import Report
from tests.benchmarks.rows import Row, table

GROUPS: dict[str, ModuleType] = {
    module.GROUP: module
    for module in (
        rates,
        uploads,
        downloads,
        pictures,
        clips,
        speech,
        latencies,
        connections,
        starting,
        memory,
        backups,
        scale,
        application,
    )
}
_ASKED_FOR = (scale.GROUP, application.GROUP)  # the one is long, the other is for those who look for a cause
PEERS = Path("build") / "peers"


def main() -> None:
    options = _options()
    peers = Installation(options.peers)
    if options.install_peers:
        peers.install()
    groups = options.groups or [name for name in GROUPS if name not in _ASKED_FOR]
    with tempfile.TemporaryDirectory(prefix="opperlite-benchmark-", dir=options.folder) as folder:
        facts = machine.description(Path(folder)) | {"requests": rates.client(), "downloads": downloads.client()}
        found = measure(groups, Path(folder), peers)
    print(f"opperlite {__version__}")
    versions = peers.versions()
    print("\n".join(f"  {name}: {value}" for name, value in (facts | versions).items()), end="\n\n")
    print(table(found))
    measured = Report(__version__, machine.kind(), datetime.now(UTC).date(), versions, tuple(found))
    if options.json or options.readme:
        keep(measured, options.json or report.FIGURES)
    if options.readme:
        report.main()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = ", ".join(GROUPS)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"{names}; all but {' and '.join(_ASKED_FOR)}")
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=Path,
        help="write the figures to this file and a chart beside it (.svg); other groups' figures there stay",
    )
    parser.add_argument(
        "--readme", action="store_true", help=f"keep the figures in {report.FIGURES.name} and put them into the README"
    )
    parser.add_argument("--folder", metavar="DIR", type=Path, help="measure in this folder's filesystem")
    parser.add_argument("--peers", metavar="DIR", type=Path, default=PEERS, help="where the peers are  [%(default)s]")
    parser.add_argument(
        "--install-peers", action="store_true", help="install them there first, and Debian's packages where root asks"
    )
    options = parser.parse_args()
    if options.readme and options.json:
        parser.error("--readme has a file of its own; leave --json out")
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {names}")
    return options


def measure(groups: Sequence[str], folder: Path, peers: Installation) -> list[Row]:
    """Run the groups, each in a folder of its own."""
    found: list[Row] = []
    for name in groups:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        (folder / name).mkdir()
        found += GROUPS[name].rows(folder / name, peers)
    return found


def keep(measured: Report, path: Path) -> None:
    """Write the figures over the earlier ones, and the chart of all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = measured.over(Report.read(path), list(GROUPS)) if path.exists() else measured
    whole.write(path)
    whole.draw(path)


if __name__ == "__main__":
    main()
