"""`/v3/models` and the lists by kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from opperlite.api.calls import Call
from opperlite.api.replies import Reply, json_reply
from opperlite.api.schemas import ModelList, model_of

DEFAULT_LIMIT, MAX_LIMIT = 50, 500
_SORTS = ("id", "type", "provider")
_ORDERS = ("asc", "desc")


def lister(scope: tuple[str, ...]) -> Callable[[Call], Awaitable[Reply]]:
    """The handler of a list of the models of these types; a `type` outside them gives an empty list."""

    async def list_models(call: Call) -> Reply:
        kind = call.text("type")
        types = scope if kind is None else tuple(one for one in scope if one == kind)
        limit, offset = call.number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT), call.number("offset", 0, 0)
        models, total = call.services.catalog.search(
            types=types,
            provider=call.text("provider"),
            q=call.text("q"),
            capabilities=call.text("capability") or (),
            deprecated=(call.text("deprecated") or "").lower() in ("true", "1"),
            sort=call.choice("sort", _SORTS) or _SORTS[0],
            order=call.choice("order", _ORDERS) or _ORDERS[0],
            limit=limit,
            offset=offset,
            now=call.services.clock.now(),
        )
        return json_reply(ModelList([model_of(model) for model in models], total, offset, limit))

    list_models.__doc__ = f"The models of {'all types' if len(scope) > 2 else 'type ' + ' and '.join(scope)}."
    return list_models
