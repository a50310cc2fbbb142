"""Build opperlite as a program for the system that this runs on: `python packaging/build.py`.

Makes in `dist/` one file, an archive of the folder build, their checksums, the bill of materials and the notices.
"""

import argparse

import environment


def main() -> None:
    """Build as the command line says."""
    options = _options().parse_args()
    if not options.here:
        environment.enter()
    import products  # needs what the build's environment has

    products.build(environment.DIST, quick=options.quick)
    if options.sizes:
        import sizes

        print(sizes.report(environment.DIST))
    if options.check_reproducible:
        _check(options.quick)


def _check(quick: bool) -> None:
    """Build once more and compare; ends with 1 where the two differ."""
    import products
    import reproducibility

    again = environment.BUILD / "again"
    products.build(again, quick=quick)
    found = reproducibility.differences(environment.DIST, again)
    print("\n".join(found) if found else "Both builds are the same, byte for byte")
    raise SystemExit(1 if found else 0)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Build opperlite as a program for this system, into dist/.")
    parser.add_argument(
        "--here",
        action="store_true",
        help="use this Python and its packages as they are, not build/venv with the locked ones",
    )
    parser.add_argument("--quick", action="store_true", help="compress less: minutes sooner, a tenth larger")
    parser.add_argument(
        "--sizes", action="store_true", help="tell what each step of the build is worth, and the heaviest parts"
    )
    parser.add_argument(
        "--check-reproducible", action="store_true", help="build twice and say what differs, which ends with 1"
    )
    return parser


if __name__ == "__main__":
    main()
