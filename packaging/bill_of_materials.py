"""The bill of materials: every part of the program as CycloneDX 1.6 in JSON."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata

import environment
import parts
from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

_NAMES = uuid.UUID("6f1c2a1e-7c0b-4f0e-9a53-0c9b5e2f4d11")  # for serial numbers that are the same for the same build
_LICENCES = LicenseFactory()


def text(inside: parts.Parts, version: str, digests: dict[str, str]) -> str:
    """The document. `digests` has the SHA-256 of each file of the release by its name."""
    date = datetime.fromtimestamp(environment.epoch(), UTC)
    whole = _component("opperlite", version, "GPL-3.0-or-later", kind=ComponentType.APPLICATION)
    whole.hashes.update(HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in digests.values())
    components = [*map(_package, _grouped(inside)), *map(_part, _loose(inside)), *map(_system, inside.system)]
    bom = Bom(
        serial_number=uuid.uuid5(_NAMES, f"{environment.commit()} {sorted(digests.items())}"),
        metadata=BomMetaData(component=whole, timestamp=date),
        components=components,
    )
    bom.register_dependency(whole, components)
    return f"{JsonV1Dot6(bom).output_as_string(indent=2)}\n"


def _component(
    name: str,
    version: str | None,
    licence: str | None,
    *,
    kind: ComponentType = ComponentType.LIBRARY,
    purl: PackageURL | None = None,
    source: str = "",
    reference: str | None = None,
    within: Iterable[Component] = (),
) -> Component:
    return Component(
        name=name,
        version=version or None,
        type=kind,
        bom_ref=reference or (str(purl) if purl else name),
        purl=purl,
        licenses=[_LICENCES.make_from_string(licence)] if licence else None,
        external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(source))]
        if source.startswith("http")
        else None,
        components=within,
    )


def _grouped(inside: parts.Parts) -> Iterable[tuple[metadata.Distribution, list[parts.Part]]]:
    """The Python packages, each with what is inside it."""
    owners = metadata.packages_distributions()
    for package in inside.packages:
        yield package, [part for part in inside.parts if package.name in owners.get(part.inside, ())]


def _loose(inside: parts.Parts) -> Iterable[parts.Part]:
    return (part for part in inside.parts if part.inside == "the program")


def _package(group: tuple[metadata.Distribution, list[parts.Part]]) -> Component:
    package, within = group
    return _component(
        package.name,
        package.version,
        parts.licence_of(package),
        purl=PackageURL("pypi", name=package.name.lower(), version=package.version),
        source=parts.source_of(package),
        within=map(_part, within),
    )


def _part(part: parts.Part) -> Component:
    return _component(part.name, part.version, part.licence, source=part.source, reference=f"{part.inside}/{part.name}")


def _system(library: parts.SystemLibrary) -> Component:
    purl = PackageURL("deb", "debian", library.name, library.version) if library.version else None
    return _component(library.name, library.version, None, purl=purl)
