"""Clips: scenes and pictures in motion with their sound, videos edited, read and written."""
