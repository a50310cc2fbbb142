"""`/v1/models`."""

from __future__ import annotations

from opperlite.api.calls import Call
from opperlite.api.openai.schemas import ModelObject, ModelObjectList
from opperlite.api.replies import Reply, json_reply
from opperlite.domain.models import Model

_ALL = 1_000_000


async def list_models(call: Call) -> Reply:
    """Every model, those that their vendors have ended too: they work here."""
    models, _ = call.services.catalog.search(deprecated=True, limit=_ALL)
    return json_reply(ModelObjectList(data=[object_of(model, model.id) for model in models]))


async def get_model(call: Call) -> Reply:
    """One model, by its name with or without the provider's."""
    name = call.path("model").strip("/")
    return json_reply(object_of(call.services.catalog.find(name), name))


def object_of(model: Model, name: str) -> ModelObject:
    """A model for the wire, under the name by which it was asked for."""
    return ModelObject(id=name, owned_by=model.provider, shutdown_date=(model.retired_at or "")[:10] or None)
