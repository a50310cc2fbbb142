"""Organisations and projects: made, found by id or name, changed. What changes holds for the next request."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct

from opperlite.domain.errors import NotFound, ValidationFailed
from opperlite.domain.ids import new_id
from opperlite.domain.ports import Clock, MetadataStore
from opperlite.domain.types import Organisation, OrganisationChanges, Policy, Project, ProjectChanges, Usage

DEFAULT_ORGANISATION = "org_default"
DEFAULT_PROJECT = "proj_default"
_MAX_NAME = 100
_BATCH = 10_000


class Tenancy(Struct, frozen=True):
    """An organisation with what it uses of its quota."""

    organisation: Organisation
    usage: Usage


def checked_name(name: str) -> str:
    """A name that is not mistaken for an id or a path; raises ValidationFailed for any other."""
    shown = repr(name[:_MAX_NAME])
    if not 1 <= len(name) <= _MAX_NAME or name != name.strip() or not name.isprintable():
        raise ValidationFailed(
            f"A name has 1 to {_MAX_NAME} printable characters, none of them a space at its ends; found {shown}",
            field="name",
        )
    if "/" in name or name.startswith(("org_", "proj_")):
        raise ValidationFailed(
            f"A name has no slash and does not begin with org_ or proj_, as ids do; found {shown}", field="name"
        )
    return name


class Tenants:
    """The administration of organisations and their projects. `policy` gives what a new one begins with."""

    def __init__(self, store: MetadataStore, clock: Clock, policy: Policy) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy

    def described(self, organisation_id: str, name: str) -> Organisation:
        """A new organisation with the policy's quota. Not yet stored."""
        return Organisation(
            organisation_id, name, self._policy.quota_bytes, self._policy.quota_files, self._clock.now()
        )

    def described_project(self, project_id: str, organisation_id: str, name: str) -> Project:
        """A new project with the policy's lifetimes. Not yet stored."""
        policy = self._policy
        return Project(
            id=project_id,
            organisation_id=organisation_id,
            name=name,
            upload_ttl=policy.upload_ttl,
            generated_ttl=policy.generated_ttl,
            created_at=self._clock.now(),
            retention=policy.retention,
            zero_data_retention=policy.zero_data_retention,
        )

    async def default_project(self) -> Project:
        """The project of keys that name none, made at first use."""
        return await self._store.ensure_project(
            self.described(DEFAULT_ORGANISATION, "default"),
            self.described_project(DEFAULT_PROJECT, DEFAULT_ORGANISATION, "default"),
        )

    # ---------------------------------------------------------------------------------- organisations

    async def create_organisation(self, name: str) -> Tenancy:
        organisation = self.described(new_id("org"), checked_name(name))
        await self._store.add_organisation(organisation)
        return await self._with_usage(organisation)

    async def organisations(self) -> Sequence[Tenancy]:
        usages = await self._store.usages(self._clock.now())
        return [Tenancy(one, usages[one.id]) for one in await self._store.organisations() if one.id in usages]

    async def organisation(self, id_or_name: str) -> Tenancy:
        """The organisation of that id, or the only one of that name; raises NotFound."""
        found = await self._store.organisations(id_or_name)
        _require_one("organisation", id_or_name, [one.id for one in found])
        return await self._with_usage(found[0])

    async def change_organisation(self, id_or_name: str, changes: OrganisationChanges) -> Tenancy:
        """Raises NotFound, ValidationFailed. A quota below what is used keeps the files and takes no new ones."""
        if changes.name is not UNSET:
            checked_name(changes.name)
        tenancy = await self.organisation(id_or_name)
        changed = await self._store.change_organisation(tenancy.organisation.id, changes)
        if changed is None:
            raise NotFound(f"There is no organisation {id_or_name!r}")
        return await self._with_usage(changed)

    async def _with_usage(self, organisation: Organisation) -> Tenancy:
        return Tenancy(organisation, await self._store.usage(organisation.id, self._clock.now()))

    # --------------------------------------------------------------------------------------- projects

    async def create_project(self, name: str, organisation: str | None = None) -> Project:
        """A new project of that organisation, or of the default one."""
        checked_name(name)
        if organisation is None:
            owner = (await self.default_project()).organisation_id
        else:
            owner = (await self.organisation(organisation)).organisation.id
        project = self.described_project(new_id("proj"), owner, name)
        await self._store.add_project(project)
        return project

    async def projects(self, organisation: str | None = None) -> Sequence[Project]:
        """All projects, or those of one organisation."""
        projects = await self._store.projects()
        if organisation is None:
            return projects
        owner = (await self.organisation(organisation)).organisation.id
        return [project for project in projects if project.organisation_id == owner]

    async def project(self, reference: str) -> Project:
        """The project of that id, the only one of that name, or ORGANISATION/NAME; raises NotFound."""
        if reference == DEFAULT_PROJECT:
            return await self.default_project()
        organisation, slash, name = reference.rpartition("/")
        found = await self._store.projects(name)
        if slash:
            owner = (await self.organisation(organisation)).organisation.id
            found = [project for project in found if project.organisation_id == owner]
        _require_one("project", reference, [project.id for project in found])
        return found[0]

    async def change_project(self, reference: str, changes: ProjectChanges) -> Project:
        """Raises NotFound, ValidationFailed. A shorter retention also ends files that exist and are older."""
        if changes.name is not UNSET:
            checked_name(changes.name)
        project = await self._store.change_project((await self.project(reference)).id, changes)
        if project is None:
            raise NotFound(f"There is no project {reference!r}")
        if changes.retention is not UNSET and changes.retention is not None:
            while await self._store.shorten_lives(project.id, changes.retention, _BATCH):
                pass
        return project


def _require_one(kind: str, reference: str, found: Sequence[str]) -> None:
    if not found:
        raise NotFound(f"There is no {kind} {reference!r}")
    if len(found) > 1:
        named = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise NotFound(f"{len(found)} {kind}s have the name {reference!r}; take the id: {named}")
