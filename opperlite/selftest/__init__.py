"""`opperlite selftest`: every engine and route in a temporary folder, and what of it does not work on this machine."""
