"""What a build leaves behind, in the order in which it is made."""

import shutil
from importlib.metadata import version
from pathlib import Path

import archives
import environment
import folder


def build(target: Path) -> None:
    """Make everything, into `target`, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    date = environment.epoch()
    made = folder.freeze(environment.BUILD / "folder")
    folder.write_build_facts(made)
    name = f"opperlite-{version('opperlite')}"
    archive = target / f"{name}-{folder.system()}-{folder.processor()}.tar.gz"
    archives.write_tar_gz(made, archive, name, date)
    archives.write_checksums([archive], target / "SHA256SUMS")
