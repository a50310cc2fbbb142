"""Who asks: projects, their keys, and the two ways of knowing a caller.

In `open` mode every non-empty bearer token is a project of its own, made at first use; in `keys` mode a token
must be a key that was created here.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Literal

from opperlite.domain.errors import NotFound, StorageFailed, Unauthorized
from opperlite.domain.ids import new_id
from opperlite.domain.ports import Clock, MetadataStore
from opperlite.domain.tenants import Tenants
from opperlite.domain.types import Key, Policy, Project

log = logging.getLogger("opperlite.projects")

KEY_PREFIX = "opl_"
_MAX_TOKEN = 4096
_REMEMBERED = 10_000
_TOUCH_EVERY = 60.0
_FRESH = 0.1


class Projects:
    """Authentication and the keys' life. `secret` keys the hashes, so that a copied database tells no keys."""

    def __init__(
        self, store: MetadataStore, clock: Clock, policy: Policy, secret: bytes, mode: Literal["open", "keys"]
    ) -> None:
        self._store = store
        self._clock = clock
        self._secret = secret
        self._mode = mode
        self.tenants = Tenants(store, clock, policy)
        self._open: dict[str, Project] = {}
        self._revision = 0
        self._fresh_until = 0.0
        self._touched: dict[str, float] = {}

    async def authenticate(self, token: str) -> Project:
        """The project of a bearer token; raises Unauthorized."""
        if not token:
            raise Unauthorized()
        if len(token) > _MAX_TOKEN:
            raise Unauthorized(f"An API key has at most {_MAX_TOKEN} characters")
        if self._mode == "open":
            await self._refresh()
            return self._open.get(token) or await self._admit(token)
        found = await self._store.key_by_hash(self._hash(token))
        if found is None:
            raise Unauthorized("This API key is not known or was revoked")
        key, project = found
        await self._touch(key)
        return project

    async def _touch(self, key: Key) -> None:
        """Record the use of a key, at most once a minute; a disk that refuses does not refuse the request."""
        now = self._clock.now()
        if abs(now - self._touched.get(key.id, 0.0)) < _TOUCH_EVERY:  # abs: a clock may be set back
            return
        self._touched[key.id] = now
        try:
            await self._store.touch_key(key.id, now)
        except StorageFailed as error:
            log.warning("the use of key %s could not be recorded: %s", key.id, error)

    async def _refresh(self) -> None:
        """Forget the remembered projects once something was written, by a command in another process for example.

        The store is asked at most ten times a second, not at each request: what an administrator changes holds
        within a tenth of a second. Our own writes count too, which costs one read of each project in use.
        """
        now = time.monotonic()
        if now < self._fresh_until:
            return
        self._fresh_until = now + _FRESH
        revision = await self._store.revision()
        if revision != self._revision:
            self._revision = revision
            self._open.clear()

    async def _admit(self, token: str) -> Project:
        revision = self._revision
        name = self._hash(token).hex()[:32]
        project = await self._store.project(f"proj_{name}") or await self._store.ensure_project(
            self.tenants.described(f"org_{name}", "open"),
            self.tenants.described_project(f"proj_{name}", f"org_{name}", "open"),
        )
        if len(self._open) >= _REMEMBERED:
            self._open.clear()
        if revision == self._revision:  # else it may be older than the change that was just seen
            self._open[token] = project
        return project

    # ------------------------------------------------------------------------------------------- keys

    async def create_key(self, name: str = "default", project: str | None = None) -> tuple[Key, str]:
        """A new key of the project that is named by id or name, and its plain form, which is kept nowhere.

        Without a project: the default one. Raises NotFound.
        """
        owner = await (self.tenants.default_project() if project is None else self.tenants.project(project))
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

    async def list_keys(self, project: str | None = None) -> Sequence[Key]:
        """All keys, or those of one project; raises NotFound."""
        keys = await self._store.keys()
        if project is None:
            return keys
        owner = await self.tenants.project(project)
        return [key for key in keys if key.project_id == owner.id]

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
