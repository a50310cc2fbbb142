"""What goes into the program and what stays out: the lists that the PyInstaller specification works by."""

import os
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

Entry = tuple[str, str]
"""A file and the folder inside the program that it goes to."""

EVERYTHING = "OPPERLITE_BUILD_EVERYTHING"
"""The variable by which a build leaves nothing out, to see what that is worth."""

LIBRARY_FOLDER = "lib"
"""The folder of everything but the program itself, beside it."""

HIDDEN_IMPORTS = (
    "isal._isal",  # imported by isal's extension modules
    "isal.igzip_lib",  # likewise
    "uvicorn.lifespan.on",  # uvicorn imports these by the names in its settings
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.httptools_impl",
)

EXCLUDED_MODULES = (
    # Test data makers, and what litestar imports only for plug-ins and commands that nothing here uses.
    "faker",
    "polyfactory",
    "litestar.testing",
    "litestar.contrib",
    "litestar.cli",
    "pydantic",
    "pydantic_core",
    "attrs",
    "attr",
    "jinja2",
    "markdown_it",
    "pygments",
    "rich",
    "rich_click",
    # Reloading and WebSockets of uvicorn.
    "watchfiles",
    "websockets",
    "wsproto",
    "h2",
    # Microphone input of pocketsphinx.
    "sounddevice",
    "cffi",
    "pycparser",
    # Of the build's own tools; Pillow and httpx take them where they are.
    "defusedxml",
    "zstandard",
    # swagger-ui-py's own code: only its files are served.
    "swagger_ui",
    # Tools for building and testing.
    "numpy.f2py",
    "numpy.distutils",
    "numpy.testing",
    "numpy._core._multiarray_tests",
    "numpy._pyinstaller",
    "setuptools",
    "pkg_resources",
    "pip",
    "distutils",
    "ensurepip",
    "lib2to3",
    "pydoc_data",
    # Interfaces of a desktop.
    "tkinter",
    "turtle",
    "curses",
    "readline",
    "idlelib",
    "PIL.ImageTk",
    "PIL.ImageQt",
    "PIL.ImageGrab",
    "PIL.ImageShow",
    "PIL.ImageWin",
    "PIL._imagingtk",
    "PIL._tkinter_finder",
)

SWAGGER_UI_FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
"""What `/docs` serves; the rest of the package's files are other versions of the same page."""

FLITE_LIBRARIES = (
    "flite",
    "flite_usenglish",
    "flite_cmulex",
    *(f"flite_cmu_us_{voice}" for voice in ("slt", "rms", "awb", "kal16")),
)
"""Flite and the voices that the engine speaks with; what they need themselves is found by their own tables."""

_LIBRARY_FOLDERS = ("/usr/local/lib", "/usr/lib64", "/usr/lib")

# Parts of the C library: they work only with the system's own other parts.
_SYSTEM_LIBRARIES = re.compile(r"lib(mvec|c|m|dl|pthread|rt|resolv|nsl|util)\.so\.\d+|ld-linux.*")

_UNUSED_FILES = (
    "pocketsphinx/model/en-us/en-us-phone.lm.bin",  # for phonemes in place of words
    "pocketsphinx/model/en-us/en-us/README",
)

_UNSTRIPPABLE = ("numpy", "numpy.libs")
"""Their libraries were rewritten after linking; without their symbols they no longer load."""


def package_folder(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"The package {name} is not installed in {sys.prefix}")
    return Path(spec.submodule_search_locations[0])


def data_files() -> list[Entry]:
    """The files beside the code that the program reads."""
    return [*_own_files(), *_swagger_ui(), *_espeak(), *_pocketsphinx()]


def _own_files() -> Iterator[Entry]:
    package = package_folder("opperlite")
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc", ".typed", ".md"):
            yield str(path), str(path.parent.relative_to(package.parent))


def _swagger_ui() -> Iterator[Entry]:
    static = package_folder("swagger_ui") / "static"
    for name in SWAGGER_UI_FILES:
        yield str(static / name), "swagger_ui/static"


def _espeak() -> Iterator[Entry]:
    package = package_folder("espeakng_loader")
    for path in sorted((package / "espeak-ng-data").rglob("*")):
        if path.is_file():
            yield str(path), str(path.parent.relative_to(package.parent))


def _pocketsphinx() -> Iterator[Entry]:
    package = package_folder("pocketsphinx")
    for path in sorted((package / "model" / "en-us").rglob("*")):
        if path.is_file():
            yield str(path), str(path.parent.relative_to(package.parent))


def libraries() -> list[Entry]:
    """The shared libraries that are loaded by name at run time."""
    return [*_espeak_library(), *_flite()]


def _espeak_library() -> Iterator[Entry]:
    names = {"win32": "espeak-ng.dll", "darwin": "libespeak-ng.dylib"}
    path = package_folder("espeakng_loader") / names.get(sys.platform, "libespeak-ng.so")
    yield str(path), "espeakng_loader"


def _flite() -> Iterator[Entry]:
    for name in FLITE_LIBRARIES:
        path = flite_library(name)
        if path is not None:
            yield str(path), "."


def flite_library(name: str) -> Path | None:
    """The library as this machine has it installed, under the name that programs load it by; None without it."""
    if not sys.platform.startswith("linux"):
        return None
    for folder in _LIBRARY_FOLDERS:
        found = [*Path(folder).glob(f"lib{name}.so.1"), *Path(folder).glob(f"*-linux-*/lib{name}.so.1")]
        if found:
            return found[0]
    return None


def excluded_modules() -> list[str]:
    """The modules that PyInstaller is to leave out."""
    return [] if EVERYTHING in os.environ else list(EXCLUDED_MODULES)


def wanted_library(target: str) -> bool:
    """Whether a shared library goes in, by its path in the program."""
    return _SYSTEM_LIBRARIES.fullmatch(PurePosixPath(target).name) is None


def wanted_file(target: str) -> bool:
    """Whether a data file goes in, by its path in the program."""
    path = PurePosixPath(target)
    if EVERYTHING in os.environ:
        return True
    return str(path) not in _UNUSED_FILES and (path.name == "METADATA" or not path.match("*.dist-info/*"))


def strippable(target: PurePosixPath) -> bool:
    """Whether the symbols of a library may go, by its path below the folder of libraries."""
    return target.parts[0] not in _UNSTRIPPABLE
