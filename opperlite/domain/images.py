"""Images: made while the caller waits, or as a job."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from opperlite.domain.errors import ValidationFailed
from opperlite.domain.ids import new_id
from opperlite.domain.models import Model, plan_image, price_image, settle_image
from opperlite.domain.outputs import Output, Studio, media_of, sources_of
from opperlite.domain.ports import Previewer
from opperlite.domain.types import ImagePlan, ImageRequest, Project, Source, Warning


class Images(Struct, frozen=True):
    """The answer to a call for images. `created` is Unix seconds, `cost` US dollars.

    `partials` are stages of the first image on its way, the coarsest first, where they were asked for.
    """

    id: str
    model: str
    created: float
    outputs: tuple[Output, ...]
    cost: float
    warnings: tuple[Warning, ...]
    partials: tuple[bytes, ...] = ()


def image_sources(request: ImageRequest) -> dict[str, Source | tuple[Source, ...] | None]:
    """The media sources of a request by field."""
    return {"image": request.image, "mask": request.mask, "reference_images": request.reference_images}


def checked_mask(request: ImageRequest) -> None:
    """A mask without a picture to paint is refused."""
    if request.mask is not None and request.image is None:
        raise ValidationFailed("A mask needs an image: there is nothing to paint", field="mask")


class ImageMaker:
    """Makes images and keeps them as asked."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def create(
        self, project: Project, request: ImageRequest, *, store: bool | None, inline: bool, partials: int = 0
    ) -> Images:
        """All `n` images, or an error and none, and up to `partials` stages of the first.

        `inline` asks for the bytes beside the stored file. Cancelling stops the work. Raises what `models.plan_image`,
        the sources and the provider raise.
        """
        studio = self._studio
        model, warnings = self.checked(request, store, inline)
        plan = self.plan(model, request)
        async with studio.files.blobs.workspace() as workspace:
            async with studio.inputs(project, image_sources(request), workspace, plan) as inputs:
                plan = settle_image(model, plan, media_of(inputs))
                made = await studio.provider.images(plan, sources_of(inputs), workspace)
            stages = await self._stages(made[0].path, partials, workspace)
            name = new_id("img")
            wanted = studio.policy.store_default if store is None else store
            outputs = [
                await studio.keep(project, one, store=wanted, inline=inline, index=index, name=f"{name}-{index}")
                for index, one in enumerate(made)
            ]
        return Images(
            id=name,
            model=request.model,
            created=studio.clock.now(),
            outputs=tuple(outputs),
            cost=price_image(model, plan),
            warnings=(*warnings, *(output.warning for output in outputs if output.warning)),
            partials=stages,
        )

    async def _stages(self, image: Path, count: int, workspace: Path) -> tuple[bytes, ...]:
        provider = self._studio.provider
        if not count or not isinstance(provider, Previewer):
            return ()
        made = await provider.preview(image, "partial", count, workspace)
        return tuple([await asyncio.to_thread(one.path.read_bytes) for one in made])

    def checked(self, request: ImageRequest, store: bool | None, inline: bool) -> tuple[Model, tuple[Warning, ...]]:
        """The request's model, after what can be judged without it."""
        if store is False and not inline:
            raise ValidationFailed(
                'response_format "url" needs a stored image, but store is false: drop one of them',
                field="response_format",
            )
        checked_mask(request)
        return self._studio.model(request.model, "image")

    def plan(self, model: Model, request: ImageRequest) -> ImagePlan:
        """The work order by the model's rules; captions only where the operator lets them."""
        plan = plan_image(model, request)
        if plan.caption and not self._studio.policy.caption and "caption" not in request.parameters:
            return replace(plan, caption=False)
        return plan
