"""What the server does per second and how long it takes, on this machine: `python -m tests.benchmarks`."""
