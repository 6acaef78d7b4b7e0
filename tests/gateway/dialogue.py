"""Real sockets at the door: a door that notes what it served, a client that says raw bytes, and what both of them often say."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headgate.gateway.listener import Admitted, Answer, Head, Limits, Listeners, Whole
from headgate.refusal import MANNERS, Reason

Result = TypeVar("Result")
PLAIN = b"content-type: text/plain\r\n"
QUICK = Limits(sweep_s=0.01)


def run(story: Coroutine[object, object, Result]) -> Result:
    """One story on one fresh loop, which must not need more than a minute."""
    return uvloop.run(_within_a_minute(story))


async def _within_a_minute(story: Coroutine[object, object, Result]) -> Result:
    async with asyncio.timeout(60):
        return await story


class NotingDoor:
    """Serves every request at once with a text that says what was served; a test may put something else in `serving`."""

    def __init__(self, body_limit: int = 1 << 20) -> None:
        self.body_limit = body_limit
        self.served: list[tuple[str, str, bytes]] = []
        self.admitted: list[Head] = []
        self.refused: list[Reason] = []
        self.serving: Callable[[Head, bytes, Answer], None] = lambda head, body, answer: answer.send(200, PLAIN, b"served " + body)
        self.whole: dict[str, Whole] = {}

    def admit(self, head: Head) -> Admitted | Whole:
        self.admitted.append(head)
        return self.whole.get(head.target) or Admitted(self.body_limit, head.target)

    def serve(self, ticket: object, head: Head, body: bytes, answer: Answer) -> None:
        assert ticket == head.target
        self.served.append((head.method, head.target, body))
        self.serving(head, body, answer)

    def refuse(self, reason: Reason, message: str) -> tuple[int, bytes, bytes]:
        self.refused.append(reason)
        assert message
        return MANNERS[reason].status, PLAIN, b"refused " + reason.value.encode()


class Caller:
    """The client's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, *pieces: bytes) -> None:
        """Send the pieces one by one, each with a turn of the loop for itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.001)

    async def hear(self, text: bytes) -> bytes:
        """Wait for this text; returns everything up to its end."""
        return await self.reader.readuntil(text)

    async def hear_all(self) -> bytes:
        """Wait until the other side closes; a reset counts as that."""
        heard = bytearray()
        try:
            while piece := await self.reader.read(1 << 16):
                heard += piece
        except ConnectionError:
            heard += b"<reset>"
        return bytes(heard)

    def finish(self) -> None:
        """Close our side only."""
        self.writer.write_eof()

    def hang_up(self) -> None:
        """Close both sides in order."""
        self.writer.close()

    def reset(self) -> None:
        """Tear the connection."""
        handle = self.writer.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def call(port: int, buffer: int = 0) -> Caller:
    """Connect to the door; `buffer` bounds what the kernel takes in for a client that does not read."""
    handle = socket.socket()
    if buffer:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    handle.setblocking(False)
    await asyncio.get_running_loop().sock_connect(handle, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=handle, limit=1 << 16)
    return Caller(reader, writer)


async def open_door(door: NotingDoor, limits: Limits = QUICK) -> tuple[Listeners, int]:
    """The door on a free port of this machine."""
    listeners = Listeners(door, limits)
    return listeners, await listeners.listen("127.0.0.1", 0)


async def until(fact: Callable[[], bool]) -> None:
    """Wait for something that must become true."""
    while not fact():
        await asyncio.sleep(0.002)


GET = b"GET /v1/models HTTP/1.1\r\nHost: gate\r\n\r\n"


LAST = b"GET /v1/models HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n"


def post(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join((b"POST /v1/responses HTTP/1.1", b"Host: gate", b"Content-Length: %d" % len(body), *lines, b"", body))


def body_of(heard: bytes) -> bytes:
    return heard.partition(b"\r\n\r\n")[2]


class Held:
    """A door that keeps its answers until the test gives them."""

    def __init__(self, door: NotingDoor) -> None:
        self.answers: list[Answer] = []
        self.gone = 0
        door.serving = self.hold

    def hold(self, head: Head, body: bytes, answer: Answer) -> None:
        self.answers.append(answer)
        answer.on_gone(self.count)

    def count(self) -> None:
        self.gone += 1


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's side of TLS for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36_500)).add_extension(names, critical=False)
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))
