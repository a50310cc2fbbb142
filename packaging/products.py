"""What a build leaves behind, in the order in which it is made."""

import shutil
from importlib.metadata import version
from pathlib import Path

import archives
import contents
import environment
import folder
import inventory
import one_file


def build(target: Path, level: int) -> None:
    """Make everything, into `target`, which is emptied first; `level` is zstd's for the one file, 1 to 22."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    work, date, number = environment.BUILD / "folder", environment.epoch(), version("opperlite")
    made = folder.freeze(work)
    if contents.flite_library("flite") is None:
        print("Flite is not installed here (libflite1 on Debian): the program will speak English by espeak-ng alone")
    archive = target / f"opperlite-{number}-{folder.system()}-{folder.processor()}.tar.gz"
    archives.write_tar_gz(made, archive, f"opperlite-{number}/", date)
    program = target / inventory.program_of(made).name
    one_file.write(made, program, work, version=number, date=date, needs=inventory.needs(made), level=level)
    archives.write_checksums([archive, program], target / "SHA256SUMS")
    for path in sorted(target.iterdir()):
        print(f"{path.stat().st_size:>12,}  {path.relative_to(environment.PROJECT)}")
