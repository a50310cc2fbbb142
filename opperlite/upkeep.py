"""The commands that look after a data folder. What a command needs is imported inside it."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opperlite.config import Settings
from opperlite.options import as_json, load_settings, settings_options
from opperlite.output import Bar, print_table, readable, run

if TYPE_CHECKING:
    from opperlite.domain.diagnosis import Finding
    from opperlite.domain.transfers import Transferred

_FOUND = 1
_EXISTING = click.Path(exists=True, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


# ------------------------------------------------------------------------------------------------- doctor


@click.command()
@click.option("--repair", is_flag=True, help="Put damaged bytes into quarantine, correct counters and permissions.")
@as_json
@settings_options("data", "host", "port", "orphan_grace")
def doctor(repair: bool, as_json: bool, **flags: Any) -> None:
    """Examine the data folder.

    Every blob is checked against its hash, every row against its blob, every counter against the rows; besides the
    database itself, permissions, space, the port and the clock. Without --repair nothing is changed, and a server may
    be running. --repair needs the server stopped; it moves damaged blobs to the folder quarantine and deletes nothing.

    Ends with 0 when all is well or was repaired, and with 1 when something was found.
    """
    from opperlite.wiring import examine, server_of

    settings = load_settings(flags)
    server = None if repair else server_of(settings)
    if server is not None and not as_json:
        click.echo(f"A server is running on {settings.data} (process {server}): looking only.", err=True)
    with Bar("Examining", as_json) as bar:
        found, examined = run(examine(settings, repair, bar))
    if server is None:
        found += _port(settings)
    healthy = all((one.repaired and one.check != "blobs") or one.severity == "note" for one in found)
    if as_json:
        rows = [_finding_row(one) for one in found]
        click.echo(json.dumps({"healthy": healthy, "blobs": examined, "server": server, "findings": rows}))
    else:
        if found:
            print_table([_finding_row(one) for one in found])
        click.echo(f"{examined} blobs read; " + ("all is well." if healthy else "not all is well."), err=bool(found))
    if not healthy:
        raise click.exceptions.Exit(_FOUND)


def _port(settings: Settings) -> "list[Finding]":
    from opperlite.domain.diagnosis import Finding
    from opperlite.listening import CannotListen, listen

    try:
        for taken in listen(settings.host, settings.port):
            taken.close()
    except CannotListen as error:
        return [Finding("port", f"{settings.host}:{settings.port}", str(error).splitlines()[0])]
    return []


def _finding_row(finding: "Finding") -> dict[str, Any]:
    return {
        "check": finding.check,
        "severity": "repaired" if finding.repaired else finding.severity,
        "subject": finding.subject,
        "message": finding.message,
    }


# ----------------------------------------------------------------------------------------------------- gc


@click.command()
@as_json
@settings_options("data", "job_ttl")
def gc(as_json: bool, **flags: Any) -> None:
    """Remove what has expired and what nothing names.

    A running server does this by itself, every minute and every hour; here it is done at once, with the server stopped.
    """
    from opperlite.wiring import collect_garbage

    with Bar("Collecting", as_json) as bar:
        done = run(collect_garbage(load_settings(flags), bar))
    if as_json:
        names = ("files", "jobs", "blobs", "bytes", "temporary")
        click.echo(json.dumps({name: getattr(done, name) for name in names}))
        return
    click.echo(
        f"Removed {done.files} expired files, {done.jobs} job records, {done.temporary} temporary files and "
        f"{done.blobs} blobs ({readable(done.bytes)})."
    )


# ----------------------------------------------------------------------------------------- backup, restore


@click.command()
@click.argument("target", metavar="FILE|FOLDER")
@as_json
@settings_options("data")
def backup(target: str, as_json: bool, **flags: Any) -> None:
    """Copy everything to a file, or into a folder of backups.

    A server may be running. A new FILE becomes one tar archive. A FOLDER (one that exists, or a name with a slash at
    its end) keeps every blob once and a dated database for each backup, so that later ones copy only what is new.

    The copy holds the signing secret and everybody's media: only its owner may read it, and it should stay so.
    """
    from opperlite.wiring import back_up

    into_folder = target.endswith(("/", os.sep)) or Path(target).is_dir()
    with Bar("Copying", as_json) as bar:
        place, done = run(back_up(load_settings(flags), Path(target), into_folder, bar))
    if as_json:
        counts = {name: getattr(done, name) for name in ("added", "bytes", "kept", "gone")}
        click.echo(json.dumps({"place": str(place), **counts, "lost": list(done.lost)}))
    else:
        kept = f", {done.kept} were there already" if into_folder else ""
        click.echo(f"{place}: {done.added} blobs copied ({readable(done.bytes)}){kept}. It holds the signing secret.")
        for sha256 in done.lost:
            click.echo(f"Missing or damaged, and so left out with its files: {sha256}", err=True)
    if done.lost:
        raise click.exceptions.Exit(_FOUND)


@click.command()
@click.argument("source", metavar="FILE|FOLDER", type=_EXISTING)
@click.option("--at", metavar="NAME", help="Which database of a folder of backups.  [default: the newest]")
@as_json
@settings_options("data")
def restore(source: Path, at: str | None, as_json: bool, **flags: Any) -> None:
    """Bring a backup back into an empty data folder.

    Every blob is checked against its hash. The folder is filled whole or not at all.
    """
    from opperlite.wiring import restore

    settings = load_settings(flags)
    with Bar("Restoring", as_json) as bar:
        count = run(restore(settings, source, at, bar))
    if as_json:
        click.echo(json.dumps({"data": str(settings.data), "blobs": count}))
    else:
        click.echo(f"{settings.data}: {count} blobs restored, each as its hash says.")


# ----------------------------------------------------------------------------------------- export, import


@click.command("export")
@click.argument("project", metavar="PROJECT")
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@as_json
@settings_options("data")
def export_project(project: str, target: Path, as_json: bool, **flags: Any) -> None:
    """Write one project to a file, for another machine.

    A server may be running. Files, ended jobs and all ids go along; keys do not, since they are hashed with the secret
    of this server. The project is named by its id, its name, or as ORGANISATION/NAME.
    """
    from opperlite.wiring import export_project

    with Bar("Exporting", as_json) as bar:
        done = run(export_project(load_settings(flags), project, target, bar))
    _show_transferred(done, as_json, f"{target}: ")
    if done.lost:
        raise click.exceptions.Exit(_FOUND)


@click.command("import")
@click.argument("source", metavar="FILE", type=_FILE)
@click.option("--org", metavar="ID|NAME", help="Into this organisation.  [default: its own, made if it is not there]")
@as_json
@settings_options("data")
def import_project(source: Path, org: str | None, as_json: bool, **flags: Any) -> None:
    """Take in a project that was exported elsewhere.

    The server is stopped meanwhile. All ids stay: a project that is here already is refused, and so is one that does
    not fit into the organisation's quota. Make new keys for it afterwards.
    """
    from opperlite.wiring import import_project

    with Bar("Importing", as_json) as bar:
        done = run(import_project(load_settings(flags), source, org, bar))
    _show_transferred(done, as_json, "")


def _show_transferred(done: "Transferred", as_json: bool, place: str) -> None:
    if as_json:
        counts = {"files": done.files, "jobs": done.jobs, "bytes": done.bytes, "lost": list(done.lost)}
        click.echo(json.dumps({"project": done.project.id, "organisation": done.organisation.id, **counts}))
        return
    click.echo(
        f"{place}project {done.project.id} of {done.organisation.id}, {done.files} files ({readable(done.bytes)}), "
        f"{done.jobs} jobs."
    )
    for file_id in done.lost:
        click.echo(f"Its bytes are missing or damaged, and so it was left out: {file_id}", err=True)


COMMANDS = (doctor, gc, backup, restore, export_project, import_project)
