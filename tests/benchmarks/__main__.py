"""Run opperlite and what people would use instead on the same work in turns; print a table of what was found."""

import argparse
import signal
import sys
import tempfile
import traceback
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
    recognition,
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
        recognition,
    )
}
# These are long, or for those who look for a cause.
_ASKED_FOR = (scale.GROUP, application.GROUP, recognition.GROUP)
_ALL = "all"
PEERS = Path("build") / "peers"


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    peers = Installation(options.peers)
    if options.install_peers:
        peers.install()
    kept = report.FIGURES if options.readme else options.json
    versions = peers.versions()
    found: list[Row] = []
    failed: list[str] = []
    busy = machine.busy()
    with tempfile.TemporaryDirectory(prefix="opperlite-benchmark-", dir=options.folder) as folder:
        facts = machine.description(Path(folder)) | {"requests": rates.client(), "downloads": downloads.client()}
        for name in _chosen(options.groups):
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            try:
                rows = measure(name, Path(folder), peers)
            except Exception:  # one that fails does not cost the others' figures
                traceback.print_exc()
                failed.append(name)
                continue
            found += rows
            if kept:
                today = datetime.now(UTC).date()
                keep(Report(__version__, machine.kind(), today, versions, tuple(found), busy), kept)
    print(f"opperlite {__version__}")
    print("\n".join(f"  {name}: {value}" for name, value in (facts | versions).items()), end="\n\n")
    print(table(found))
    if options.readme:
        report.main()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = ", ".join(GROUPS)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"{names}; all but {', '.join(_ASKED_FOR)}")
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
    if unknown := set(options.groups) - {*GROUPS, _ALL}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {names}")
    return options


def _chosen(groups: Sequence[str]) -> list[str]:
    """Those that were named, else what is quick."""
    if _ALL in groups:
        return list(GROUPS)
    return list(groups) or [name for name in GROUPS if name not in _ASKED_FOR]


def measure(group: str, folder: Path, peers: Installation) -> list[Row]:
    """Run one group in a folder of its own."""
    (own := folder / group).mkdir()
    return list(GROUPS[group].rows(own, peers))


def keep(measured: Report, path: Path) -> None:
    """Write the figures over the earlier ones, and the chart of all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = measured.over(Report.read(path), list(GROUPS)) if path.exists() else measured
    whole.write(path)
    whole.draw(path)


if __name__ == "__main__":
    main()
