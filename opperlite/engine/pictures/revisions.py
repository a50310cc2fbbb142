"""Revisions: a scene drawn again with some of its things gone, coloured or exchanged, all else where it was."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from opperlite.engine.pictures.prompt import Reading
from opperlite.engine.pictures.spots import Spot
from opperlite.engine.pictures.symbols import Colour, symbols

_AS_THINGS = {"cloudy": "cloud", "overcast": "cloud"}
"""Weather that is made of things."""


@dataclass(frozen=True)
class Revision:
    """What is to be different, by motif (or kind of weather)."""

    without: frozenset[str] = frozenset()
    colours: Mapping[str, Colour] = field(default_factory=dict)
    swaps: Mapping[str, str] = field(default_factory=dict)

    @property
    def motifs(self) -> frozenset[str]:
        """The motifs it is about."""
        return self.without | set(self.colours) | set(self.swaps)

    def spot(self, spot: Spot) -> Spot | None:
        """A thing's spot after the revision; None when the thing is gone."""
        motif = spot.thing.motif
        if motif in self.without:
            return None
        thing = spot.thing
        if motif in self.colours:
            thing = replace(thing, colour=self.colours[motif])
        if motif in self.swaps:
            other = self.swaps[motif]
            thing = replace(thing, motif=other, colour=None)
            return replace(spot, thing=thing, symbol=symbols()[other])
        return replace(spot, thing=thing)


AS_IT_IS = Revision()


def revision(reading: Reading) -> Revision:
    """What an edit's words ask of the things that are there already."""
    edits = set(reading.edits)
    if "remove_background" in edits:
        return AS_IT_IS
    motifs = [thing.motif for thing in reading.things]
    if "remove" in edits:
        weather = {_AS_THINGS.get(kind, kind) for kind in reading.weather}
        return Revision(without=frozenset(motifs) | weather)
    if "replace" in edits and len(motifs) > 1:
        return Revision(swaps={motifs[0]: motifs[1]})
    if "change" in edits and "add" not in edits and motifs:
        colours = [thing.colour for thing in reading.things if thing.colour] or list(reading.colours)
        return Revision(colours=dict.fromkeys(motifs, colours[-1])) if colours else AS_IT_IS
    return AS_IT_IS
