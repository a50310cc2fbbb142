"""Implementations of the domain's ports, one module each: `<port>_<implementation>`."""
