"""The commands for organisations, projects and keys. What a command needs is imported inside it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from opperlite.options import Value, as_json, load_settings, settings_options
from opperlite.output import moment, print_table, readable, run
from opperlite.values import Duration, Number, Optional, Size

if TYPE_CHECKING:
    from opperlite.domain.projects import Projects
    from opperlite.domain.tenants import Tenancy, Tenants
    from opperlite.domain.types import Key, Project

_Result = TypeVar("_Result")
_LIFE = Duration(1.0)


def _on_tenants(flags: Mapping[str, Any], work: Callable[["Tenants"], Awaitable[_Result]]) -> _Result:
    return _on_projects(flags, lambda projects: work(projects.tenants))


def _on_projects(flags: Mapping[str, Any], work: Callable[["Projects"], Awaitable[_Result]]) -> _Result:
    async def worked() -> _Result:
        from opperlite.wiring import open_projects

        async with open_projects(load_settings(flags)) as projects:
            return await work(projects)

    return run(worked())


# ------------------------------------------------------------------------------------------ organisations


@click.group()
def orgs() -> None:
    """Make, list and change organisations.

    An organisation owns a quota of bytes and files, which all its projects share. The commands work on the data
    folder, also while a server is running on it; what is changed holds at once. An organisation is named by its id, or
    by its name where only one has it.
    """


@orgs.command("create")
@click.argument("name")
@as_json
@settings_options("data", "quota_bytes", "quota_files")
def create_organisation(name: str, as_json: bool, **flags: Any) -> None:
    """Make an organisation."""
    made = _on_tenants(flags, lambda tenants: tenants.create_organisation(name))
    if as_json:
        click.echo(json.dumps(_organisation_row(made)))
    else:
        click.echo(made.organisation.id)


@orgs.command("list")
@as_json
@settings_options("data")
def list_organisations(as_json: bool, **flags: Any) -> None:
    """List the organisations with what they use of their quota."""
    found = _on_tenants(flags, lambda tenants: tenants.organisations())
    if as_json:
        click.echo(json.dumps([_organisation_row(one) for one in found]))
    elif found:
        print_table([_organisation_shown(one) for one in found])
    else:
        click.echo("There are no organisations yet: opperlite orgs create NAME", err=True)


@orgs.command("show")
@click.argument("organisation", metavar="ID|NAME")
@as_json
@settings_options("data")
def show_organisation(organisation: str, as_json: bool, **flags: Any) -> None:
    """Show one organisation."""
    _show_organisation(_on_tenants(flags, lambda tenants: tenants.organisation(organisation)), as_json)


@orgs.command("set")
@click.argument("organisation", metavar="ID|NAME")
@click.option("--name", metavar="TEXT", help="Its new name.")
@click.option("--quota-bytes", type=Value(Size()), help="Bytes that its files may take.")
@click.option("--quota-files", type=Value(Number(0)), help="Files that it may have.")
@as_json
@settings_options("data")
def set_organisation(
    organisation: str, name: str | None, quota_bytes: int | None, quota_files: int | None, as_json: bool, **flags: Any
) -> None:
    """Change an organisation's name or quota.

    A running server takes the change at once. Files that exist stay, also beyond a smaller quota.
    """
    given = _named({"name": name, "quota_bytes": quota_bytes, "quota_files": quota_files})

    async def change(tenants: "Tenants") -> "Tenancy":
        from opperlite.domain.types import OrganisationChanges

        return await tenants.change_organisation(organisation, OrganisationChanges(**given))

    _show_organisation(_on_tenants(flags, change), as_json)


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: value for name, value in values.items() if value is not None}
    if not named:
        raise click.UsageError("Nothing to change was named; --help tells what can be")
    return named


def _show_organisation(tenancy: "Tenancy", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_organisation_row(tenancy)))
    else:
        print_table([_organisation_shown(tenancy)])


def _organisation_row(tenancy: "Tenancy") -> dict[str, Any]:
    organisation, usage = tenancy.organisation, tenancy.usage
    return {
        "id": organisation.id,
        "name": organisation.name,
        "used_bytes": usage.bytes,
        "quota_bytes": organisation.quota_bytes,
        "used_files": usage.files,
        "quota_files": organisation.quota_files,
        "created": moment(organisation.created_at),
    }


def _organisation_shown(tenancy: "Tenancy") -> dict[str, Any]:
    row = _organisation_row(tenancy)
    return {**row, "used_bytes": readable(row["used_bytes"]), "quota_bytes": readable(row["quota_bytes"])}


# ----------------------------------------------------------------------------------------------- projects


@click.group()
def projects() -> None:
    """Make, list and change projects.

    A project tells how long files live, and whether any are kept. The commands work on the data folder, also while a
    server is running on it; what is changed holds at once. A project is named by its id, by its name where only one has
    it, or as ORGANISATION/NAME.
    """


@projects.command("create")
@click.argument("name")
@click.option("--org", metavar="ID|NAME", help="The organisation that it belongs to.  [default: org_default]")
@as_json
@settings_options("data", "upload_ttl", "generated_ttl", "retention", "zero_data_retention")
def create_project(name: str, org: str | None, as_json: bool, **flags: Any) -> None:
    """Make a project."""
    made = _on_tenants(flags, lambda tenants: tenants.create_project(name, org))
    click.echo(json.dumps(_project_row(made)) if as_json else made.id)


@projects.command("list")
@click.option("--org", metavar="ID|NAME", help="Only those of this organisation.")
@as_json
@settings_options("data")
def list_projects(org: str | None, as_json: bool, **flags: Any) -> None:
    """List the projects."""
    found = _on_tenants(flags, lambda tenants: tenants.projects(org))
    if as_json:
        click.echo(json.dumps([_project_row(one) for one in found]))
    elif found:
        print_table([_project_shown(one) for one in found])
    else:
        click.echo("There are no projects yet: opperlite projects create NAME", err=True)


@projects.command("show")
@click.argument("project", metavar="ID|NAME")
@as_json
@settings_options("data")
def show_project(project: str, as_json: bool, **flags: Any) -> None:
    """Show one project."""
    _show_project(_on_tenants(flags, lambda tenants: tenants.project(project)), as_json)


def _checked_retention(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        Value(Optional(_LIFE)).convert(value, parameter, context)
    return value


@projects.command("set")
@click.argument("project", metavar="ID|NAME")
@click.option("--name", metavar="TEXT", help="Its new name.")
@click.option("--upload-ttl", type=Value(_LIFE), help="Life of an uploaded file.")
@click.option("--generated-ttl", type=Value(_LIFE), help="Life of a generated file.")
@click.option(
    "--retention",
    metavar="DURATION|none",
    callback=_checked_retention,
    help="Cap on the life of every file; none lifts it.",
)
@click.option("--zero-data-retention/--no-zero-data-retention", default=None, help="Store nothing from now on.")
@as_json
@settings_options("data")
def set_project(project: str, retention: str | None, as_json: bool, **given: Any) -> None:
    """Change a project's name, lifetimes or zero data retention.

    A running server takes the change at once. Files that exist keep their life, except that a retention also ends
    those that are older. Zero data retention keeps the files that exist until they expire or are deleted.
    """
    flags = {name: given.pop(name) for name in ("config", "data")}
    changes = _named({**given, "retention": retention})
    if retention is not None:
        changes["retention"] = Optional(_LIFE).read(retention)

    async def change(tenants: "Tenants") -> "Project":
        from opperlite.domain.types import ProjectChanges

        return await tenants.change_project(project, ProjectChanges(**changes))

    _show_project(_on_tenants(flags, change), as_json)


def _show_project(project: "Project", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_project_row(project)))
    else:
        print_table([_project_shown(project)])


def _project_row(project: "Project") -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "organisation": project.organisation_id,
        "upload_ttl": project.upload_ttl,
        "generated_ttl": project.generated_ttl,
        "retention": project.retention,
        "zero_data_retention": project.zero_data_retention,
        "created": moment(project.created_at),
    }


def _project_shown(project: "Project") -> dict[str, Any]:
    row = _project_row(project)
    lives = {name: None if row[name] is None else _LIFE.show(row[name]) for name in _LIVES}
    return {**row, **lives, "zero_data_retention": "yes" if project.zero_data_retention else "no"}


_LIVES = ("upload_ttl", "generated_ttl", "retention")


# --------------------------------------------------------------------------------------------------- keys


@click.group()
def keys() -> None:
    """Make, list and revoke API keys.

    They work on the data folder, also while a server is running on it.
    """


@keys.command("create")
@click.option("--name", metavar="TEXT", default="default", show_default=True, help="What the key is for.")
@click.option("--project", metavar="ID|NAME", help="The project it opens.  [default: proj_default]")
@as_json
@settings_options("data")
def create_key(name: str, project: str | None, as_json: bool, **flags: Any) -> None:
    """Make a key and print it.

    It is shown this once; only its hash is kept.
    """

    key, plain = _on_projects(flags, lambda projects: projects.create_key(name=name, project=project))
    if as_json:
        click.echo(json.dumps({**_key_row(key), "key": plain}))
        return
    click.echo(plain)
    click.echo(f"Key {key.id} of project {key.project_id}. Note it down: it is not shown again.", err=True)


@keys.command("list")
@click.option("--project", metavar="ID|NAME", help="Only those of this project.")
@as_json
@settings_options("data")
def list_keys(project: str | None, as_json: bool, **flags: Any) -> None:
    """List the keys."""
    rows = [_key_row(key) for key in _on_projects(flags, lambda projects: projects.list_keys(project))]
    if as_json:
        click.echo(json.dumps(rows))
    elif rows:
        print_table(rows)
    else:
        click.echo("There are no keys yet: opperlite keys create", err=True)


@keys.command("revoke")
@click.argument("key", metavar="ID|HINT")
@as_json
@settings_options("data")
def revoke_key(key: str, as_json: bool, **flags: Any) -> None:
    """Revoke a key: it is refused from now on.

    The key is named by its id or by its first characters, as `opperlite keys list` shows them.
    """

    revoked = _on_projects(flags, lambda projects: projects.revoke_key(key))
    click.echo(json.dumps(_key_row(revoked)) if as_json else f"Revoked {revoked.id} ({revoked.hint}…).")


def _key_row(key: "Key") -> dict[str, Any]:
    return {
        "id": key.id,
        "hint": key.hint,
        "name": key.name,
        "project": key.project_id,
        "created": moment(key.created_at),
        "last_used": moment(key.last_used_at),
        "revoked": moment(key.revoked_at),
    }


COMMANDS = (orgs, projects, keys)
