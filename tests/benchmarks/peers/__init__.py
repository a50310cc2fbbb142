"""What people would use instead, run on the same machine."""
