"""Build opperlite as a program for the system that this runs on: `python packaging/build.py`.

Makes in `dist/` one file, an archive of the folder build, their checksums, the bill of materials and the notices.
"""

import argparse

import environment

_QUICK, _SMALL = 9, 22  # levels of zstd


def main() -> None:
    """Build as the command line says."""
    options = _options().parse_args()
    if not options.here:
        environment.enter()
    import products  # needs what the build's environment has

    products.build(environment.DIST, _QUICK if options.quick else _SMALL)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Build opperlite as a program for this system, into dist/.")
    parser.add_argument(
        "--here",
        action="store_true",
        help="use this Python and its packages as they are, not build/venv with the locked ones",
    )
    parser.add_argument(
        "--quick", action="store_true", help="compress the one file less: a minute or two sooner, a tenth larger"
    )
    return parser


if __name__ == "__main__":
    main()
