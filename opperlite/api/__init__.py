"""The HTTP surface: routes, wire structs, and the way from one to the domain."""
