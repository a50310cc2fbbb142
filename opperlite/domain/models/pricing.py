"""What a call costs by its model's published prices, in US dollars; a model without known prices costs 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opperlite.domain.models.rules import holds, parse_size
from opperlite.domain.models.specs import Model
from opperlite.domain.types import ImagePlan, VideoPlan

CHARACTERS_PER_MINUTE = 900  # 150 words of six characters: an estimate, no vendor's figure


def price_image(model: Model, plan: ImagePlan) -> float:
    """The price of all `n` images: by quality and size, else by megapixel, else per image."""
    pricing = model.spec.pricing
    each = _rate(model, plan.parameters, "image")
    if each is None and pricing.image_prices:
        each = _table_price(pricing.image_prices, plan)
    if each is None:
        each = pricing.price_per_image if pricing.price_per_image is not None else pricing.price_per_generation
    if each is None and plan.width and plan.height:
        megapixel = _rate(model, plan.parameters, "megapixel") or pricing.price_per_megapixel or 0.0
        each = megapixel * plan.width * plan.height / 1e6
    return _money((each or 0.0) * plan.n)


def price_video(model: Model, plan: VideoPlan) -> float:
    """The price of the clip: per second of its length, or per generation."""
    pricing = model.spec.pricing
    whole = _rate(model, plan.parameters, "generation")
    if whole is None:
        whole = pricing.price_per_generation
    if whole is not None:
        return _money(whole)
    second = _rate(model, plan.parameters, "second")
    if second is None:
        second = pricing.price_per_second or 0.0
    length = plan.frames / plan.fps if plan.frames and plan.fps else 0.0
    return _money(second * length)


def price_speech(model: Model, characters: int) -> float:
    """The price of a spoken text of so many characters (Unicode code points).

    Models that are billed by the minute of speech are charged for the minutes that the text is likely to take.
    """
    pricing = model.spec.pricing
    if pricing.price_per_m_chars is not None:
        return _money(pricing.price_per_m_chars * characters / 1e6)
    return _money((pricing.price_per_minute or 0.0) * characters / CHARACTERS_PER_MINUTE)


def price_transcription(model: Model, seconds: float) -> float:
    """The price of a recording of that length."""
    pricing = model.spec.pricing
    if pricing.price_per_second is not None:
        return _money(pricing.price_per_second * seconds)
    return _money((pricing.price_per_minute or 0.0) * seconds / 60)


def _rate(model: Model, parameters: Mapping[str, Any], unit: str) -> float | None:
    """The first rate of that unit whose condition holds; a rate per generation or second may be one of several."""
    for rate in model.spec.pricing.rates:
        if rate.unit == unit and holds(rate.when, model.spec.parameters, parameters):
            return rate.amount
    return None


def _table_price(table: Mapping[str, Mapping[str, float]], plan: ImagePlan) -> float | None:
    """The listed price of the plan's quality and size; for a size that is not listed, the one nearest in pixels."""
    prices = table.get(plan.quality) or table.get("medium") or next(iter(table.values()), {})
    exact = prices.get(f"{plan.width}x{plan.height}")
    if exact is not None:
        return exact
    pixels = (plan.width or 0) * (plan.height or 0)
    listed = [(size[0] * size[1], price) for name, price in prices.items() if (size := parse_size(name))]
    return min(listed, key=lambda one: abs(one[0] - pixels))[1] if listed else None


def _money(dollars: float) -> float:
    return round(dollars, 10)
