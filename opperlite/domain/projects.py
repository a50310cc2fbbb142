"""Who asks: projects, their keys, and the two ways of knowing a caller.

In `open` mode every non-empty bearer token is a project of its own, made at first use; in `keys` mode a token
must be a key that was created here.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Literal

from opperlite.domain.errors import NotFound, Unauthorized
from opperlite.domain.ids import new_id
from opperlite.domain.ports import Clock, MetadataStore
from opperlite.domain.types import Key, Organisation, Policy, Project

KEY_PREFIX = "opl_"
_MAX_TOKEN = 4096
_REMEMBERED = 10_000
_TOUCH_EVERY = 60.0


class Projects:
    """Authentication and the keys' life. `secret` keys the hashes, so that a copied database tells no keys."""

    def __init__(
        self, store: MetadataStore, clock: Clock, policy: Policy, secret: bytes, mode: Literal["open", "keys"]
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._secret = secret
        self._mode = mode
        self._open: dict[str, Project] = {}
        self._touched: dict[str, float] = {}

    async def authenticate(self, token: str) -> Project:
        """The project of a bearer token; raises Unauthorized."""
        if not token:
            raise Unauthorized()
        if len(token) > _MAX_TOKEN:
            raise Unauthorized(f"An API key has at most {_MAX_TOKEN} characters")
        if self._mode == "open":
            return self._open.get(token) or await self._admit(token)
        found = await self._store.key_by_hash(self._hash(token))
        if found is None:
            raise Unauthorized("This API key is not known or was revoked")
        key, project = found
        now = self._clock.now()
        if now - self._touched.get(key.id, 0.0) >= _TOUCH_EVERY:
            self._touched[key.id] = now
            await self._store.touch_key(key.id, now)
        return project

    async def _admit(self, token: str) -> Project:
        name = self._hash(token).hex()[:32]
        project = await self._ensure(f"org_{name}", f"proj_{name}", "open")
        if len(self._open) >= _REMEMBERED:
            self._open.clear()
        self._open[token] = project
        return project

    async def _ensure(self, organisation_id: str, project_id: str, name: str) -> Project:
        now, policy = self._clock.now(), self._policy
        organisation = Organisation(organisation_id, name, policy.quota_bytes, policy.quota_files, now)
        project = Project(
            id=project_id,
            organisation_id=organisation_id,
            name=name,
            upload_ttl=policy.upload_ttl,
            generated_ttl=policy.generated_ttl,
            created_at=now,
            retention=policy.retention,
            zero_data_retention=policy.zero_data_retention,
        )
        return await self._store.ensure_project(organisation, project)

    # ------------------------------------------------------------------------------------------- keys

    async def create_key(self, name: str = "default", project: str | None = None) -> tuple[Key, str]:
        """A new key and its plain form, which is kept nowhere. Without a project: the default one."""
        if project is None:
            owner = await self._ensure("org_default", "proj_default", "default")
        else:
            found = await self._store.project(project)
            if found is None:
                raise NotFound(f"There is no project {project!r}")
            owner = found
        plain = KEY_PREFIX + secrets.token_urlsafe(32)
        key = Key(
            id=new_id("key"),
            project_id=owner.id,
            name=name,
            hash=self._hash(plain),
            hint=plain[: len(KEY_PREFIX) + 6],
            created_at=self._clock.now(),
        )
        await self._store.add_key(key)
        return key, plain

    async def list_keys(self) -> Sequence[Key]:
        return await self._store.keys()

    async def revoke_key(self, id_or_hint: str) -> Key:
        """Revoke the key with that id, or the only one that begins so; raises NotFound."""
        keys = await self._store.keys()
        matching = [key for key in keys if key.id == id_or_hint] or [
            key for key in keys if key.revoked_at is None and id_or_hint.startswith(key.hint)
        ]
        if len(matching) != 1:
            raise NotFound(f"{len(matching)} keys match {id_or_hint!r}; name one by its id")
        revoked = await self._store.revoke_key(matching[0].id, self._clock.now())
        if revoked is None:
            raise NotFound(f"There is no key {id_or_hint!r}")
        return revoked

    async def ensure_first_key(self) -> str | None:
        """In `keys` mode without any valid key: make one and give its plain form, once."""
        if self._mode != "keys" or any(key.revoked_at is None for key in await self._store.keys()):
            return None
        return (await self.create_key("first"))[1]

    def _hash(self, token: str) -> bytes:
        return hmac.digest(self._secret, token.encode(), sha256)
