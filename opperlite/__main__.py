"""`python -m opperlite`."""

from opperlite.cli import main

main()
