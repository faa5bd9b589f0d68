"""The services over Socket.IO, as the official Feathers clients speak."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import socketio
from engineio.payload import Payload
from socketio.packet import BINARY_EVENT, EVENT, Packet

from agnez import query
from agnez.errors import BadValueError, NotFoundError
from agnez.record import Json
from agnez.server.door import READS_ONLY, admit_socket, may_change
from agnez.server.engine import Engine
from agnez.server.rest import LARGEST_BODY
from agnez.server.service import (
    METHODS,
    Announce,
    Call,
    ForbiddenError,
    Method,
    MethodNotAllowedError,
    Service,
    Services,
    error_object,
    error_of,
    perform,
)
from agnez.server.tokens import Tokens
from agnez.server.viewers import Viewers
from agnez.wire import Told, dump

_PACKETS_OF_A_POST = 10_000
_ATTACHMENTS = 16
_READING: tuple[Method, ...] = ("find", "get")
_UNREADABLE, _TOO_LARGE, _OURS = "\0unreadable", "\0too large", "\0ours"
"""The events that a packet stands for whose arguments are no array of JSON, or too much, or whose event only the
server may raise: so that a call has its ack."""

_RESERVED = ("connect", "disconnect")

_REFUSALS: Mapping[str, dict[str, Json]] = {
    _UNREADABLE: error_object(BadValueError("The arguments are not JSON")),
    _TOO_LARGE: error_of(413, f"A call may bring {LARGEST_BODY} bytes, its attachments included"),
    _OURS: error_object(MethodNotAllowedError("This is no method, but an event of the socket's own")),
}

_ARGUMENTS: Mapping[Method, tuple[str, ...]] = {
    "find": ("query",),
    "get": ("id", "query"),
    "create": ("data", "query"),
    "update": ("id", "data", "query"),
    "patch": ("id", "data", "query"),
    "remove": ("id", "query"),
}


def install(
    server: socketio.Server, services: Services, engine: Engine, viewers: Viewers, tokens: Tokens | None = None
) -> None:
    """Answer the six methods of each service on the namespace `/`; where there are `tokens`, to those who show one."""
    # The official client sends all that it has in one go, and past 16 packets python-engineio hangs up. It reads this
    # from the class.
    Payload.max_decode_packets = max(Payload.max_decode_packets, _PACKETS_OF_A_POST)
    server.packet_class = _Packet
    for method in METHODS:
        server.on(method, partial(_answer, server, engine, viewers, services, method), namespace="/")
    server.on("connect", lambda _, environ, auth=None: admit_socket(tokens, environ, auth), namespace="/")
    for event in _REFUSALS:
        server.on(event, partial(_refuse, event), namespace="/")
    server.on("*", lambda event, *_: error_object(MethodNotAllowedError(f"'{event}' is no method")), namespace="/")


def announcer(viewers: Viewers) -> Announce:
    """Return what tells every client of a change in a service."""
    return lambda path, event, record: viewers.tell(f"{path} {event}", record)


class _Reader:
    """Be the JSON of packets, which raises nothing."""

    @staticmethod
    def dumps(data: Json, **options: Any) -> str:
        """Write the arguments of a packet; a record that brings its JSON along is not written again."""
        if isinstance(data, list) and any(isinstance(each, Told) for each in data):
            return f"[{','.join(map(dump, data))}]"
        return json.dumps(data, **options)

    @staticmethod
    def loads(text: str) -> Json:
        """Read the arguments of a packet."""
        try:
            data: Json = json.loads(text)
        except (ValueError, RecursionError):
            return None
        return data


class _Packet(Packet):  # type: ignore[misc]  # python-socketio has no types
    """Read a packet, and let none fill our memory with attachments, which no service of ours takes."""

    json = _Reader
    _size = 0

    def decode(self, encoded_packet: str) -> int:
        """Read the text of a packet, and return how many attachments follow."""
        count: int = super().decode(encoded_packet)
        if count > _ATTACHMENTS:
            raise ValueError("too many attachments")
        self._size = len(encoded_packet)
        if self.packet_type == EVENT:
            self.data: object = _event(self.data)
        return count

    def add_attachment(self, attachment: bytes) -> bool:
        """Take an attachment, or forget all of a packet that brings too much; tell whether it was the last."""
        self._size += len(attachment)
        too_large = self._size > LARGEST_BODY
        if too_large:
            self.attachments: list[bytes] = [b""] * len(self.attachments)
        last = bool(super().add_attachment(b"" if too_large else attachment))
        if last and too_large and self.packet_type == BINARY_EVENT:
            self.data = [_TOO_LARGE]
        return last

    @classmethod
    def data_is_binary(cls, data: object) -> bool:
        """Tell whether there are bytes among the arguments."""
        return False if isinstance(data, Told) else bool(super().data_is_binary(data))

    @classmethod
    def reconstruct_binary(cls, data: object, attachments: list[bytes]) -> object:
        """Put attachments in their places."""
        try:
            return _event(super().reconstruct_binary(data, attachments))
        except (LookupError, TypeError, RecursionError):  # a place that no attachment is for
            return _event(None)


def _event(data: object) -> object:
    """Return what a client sends as an event that may be raised: python-socketio would believe it that it connects."""
    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        return [_UNREADABLE]
    return [_OURS] if data[0] in _RESERVED else data


def _refuse(event: str, *_: object) -> Json:
    return _REFUSALS[event]


def _answer(
    server: socketio.Server,
    engine: Engine,
    viewers: Viewers,
    services: Services,
    method: Method,
    sid: str,
    *arguments: Json,
) -> tuple[None, Json] | Json:
    """Do a call, if this client may, and return what its ack bears: nothing and the result, or the error."""
    viewers.drop_if_stuck(server.manager.eio_sid_from_sid(sid, "/"))  # it asks and asks, and reads no answer
    if method not in _READING and not may_change(server.get_environ(sid) or {}):
        return error_object(ForbiddenError(READS_ONLY))
    return engine.offload(lambda: _handle(services, method, *arguments))


def _handle(services: Services, method: Method, *arguments: Json) -> tuple[None, Json] | Json:
    try:
        service = _service(services, arguments[0] if arguments else None)
        return None, perform(service, _call(method, arguments[1:]))
    except Exception as error:  # whatever it was, the client waits for its ack
        return error_object(error)


def _service(services: Services, path: Json) -> Service:
    service = services.at(path) if isinstance(path, str) else None
    if service is None:
        raise NotFoundError(f"Service '{path}' not found" if isinstance(path, str) else "Invalid service path")
    return service


def _call(method: Method, arguments: Sequence[Json]) -> Call:
    names = _ARGUMENTS[method]
    if len(arguments) > len(names):
        raise BadValueError(f"Too many arguments for '{method}' method")
    given = dict(zip(names, arguments, strict=False))
    if "data" in names and "data" not in given:
        raise BadValueError(f"A data object must be provided to the '{method}' method")
    return Call(method, query.read(given.get("query")), _id(given.get("id")), given.get("data"))


def _id(given: Json) -> str | None:
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    raise BadValueError("An id is a string, or null for all that match the query")
