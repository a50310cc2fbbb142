"""Start the server, measure, print a table; `--json` writes the figures to a file as well."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from opperlite import __version__
from tests.benchmarks import application, generations, latencies, machine, rates, scale, starting, transfers
from tests.benchmarks.rows import Row, table

GROUPS: dict[str, ModuleType] = {
    module.GROUP: module for module in (starting, rates, application, transfers, latencies, generations, scale)
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="group", help=", ".join(GROUPS) + "; all by default")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file too")
    parser.add_argument("--folder", metavar="DIR", type=Path, help="measure in this folder's filesystem")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    with tempfile.TemporaryDirectory(prefix="opperlite-benchmark-", dir=options.folder) as folder:
        facts = machine.description(Path(folder)) | {"requests": rates.client(), "bytes": transfers.client()}
        found = measure(options.groups or list(GROUPS), Path(folder))
    print(f"opperlite {__version__}")
    print("\n".join(f"  {name}: {value}" for name, value in facts.items()), end="\n\n")
    print(table(found))
    if options.json:
        measured_at = datetime.now(UTC).isoformat(timespec="seconds")
        report = {"opperlite": __version__, "at": measured_at, "machine": facts, "rows": [r.as_json() for r in found]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def measure(groups: Sequence[str], folder: Path) -> list[Row]:
    """Run the groups, each in a folder of its own."""
    found: list[Row] = []
    for name in groups:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        (folder / name).mkdir()
        found += GROUPS[name].rows(folder / name)
    return found


if __name__ == "__main__":
    main()
