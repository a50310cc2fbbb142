"""Pictures: a prompt read, a scene composed and drawn, pictures edited, read and written."""
