"""What a build leaves behind, in the order in which it is made."""

import shutil
from importlib.metadata import version
from pathlib import Path

import archives
import bill_of_materials
import contents
import environment
import folder
import inventory
import notices
import one_file
import parts

_QUICK, _SMALL = (6, 9), (9, 22)  # levels of gzip for the archive, of zstd for the one file


def build(target: Path, *, quick: bool) -> None:
    """Make everything, into `target`, which is emptied first; `quick` compresses less."""
    gzip_level, zstd_level = _QUICK if quick else _SMALL
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    work, date, number = environment.BUILD / "folder", environment.epoch(), version("opperlite")
    made = folder.freeze(work)
    if contents.flite_library("flite") is None:
        print("Flite is not installed here (libflite1 on Debian): the program will speak English by espeak-ng alone")
    inside = parts.find(made)
    (target / "THIRD-PARTY-NOTICES").write_text(notices.text(inside), "utf-8", newline="\n")
    for held in (target / "THIRD-PARTY-NOTICES", environment.PROJECT / "LICENSE", environment.PROJECT / "NOTICE"):
        shutil.copy(held, made)
    archive = target / f"opperlite-{number}-{folder.system()}-{folder.processor()}.tar.gz"
    archives.write_tar_gz(made, archive, f"opperlite-{number}/", date, gzip_level)
    program = target / inventory.program_of(made).name
    one_file.write(made, program, work, version=number, date=date, needs=inventory.needs(made), level=zstd_level)
    digests = {path.name: archives.sha256(path) for path in (archive, program)}
    bill = bill_of_materials.text(inside, number, digests)
    (target / "opperlite.cdx.json").write_text(bill, "utf-8", newline="\n")
    archives.write_checksums(list(target.iterdir()), target / "SHA256SUMS")
    for path in sorted(target.iterdir()):
        print(f"{path.stat().st_size:>12,}  {path.relative_to(environment.PROJECT)}")
