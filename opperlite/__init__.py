"""opperlite: Opper's media API as one program on your own machine."""

__version__ = "0.1.0"
