"""Uploads written by hand, for bytes that are made or sent on the way."""

# Of the form that curl sends. A parser takes the longer to look for a boundary the shorter it is.
BOUNDARY = "-" * 24 + "d74496d66958873e"


def part(filename: str) -> tuple[bytes, bytes]:
    """What comes before and after the bytes of the one file in a body."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    return head.encode(), f"\r\n--{BOUNDARY}--\r\n".encode()


def request(port: int, key: str, length: int) -> bytes:
    """The head of an upload request whose body has `length` bytes; the connection ends with the reply."""
    return (
        f"POST /v3/files HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
