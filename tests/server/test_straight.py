"""The straight way to a websocket: nothing is overtaken, nothing lost, and what cannot go at once waits."""

from __future__ import annotations

import queue
import socket
import threading

import pytest
from engineio import packet

from agnez.server import straight
from agnez.server.straight import Straight, write_now


def message(text: str) -> packet.Packet:
    return packet.Packet(packet.MESSAGE, text)


class Sink:
    """Take messages, or not: as the other side would have it."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.answer: bool | None = True

    def send(self, message: str | bytes) -> bool | None:
        if self.answer is not False:
            self.messages.append(message)
        return self.answer


class Writer(threading.Thread):
    """Write what waits, as python-engineio's writer does; it holds still while `held`."""

    def __init__(self, waiting: Straight, sink: Sink) -> None:
        super().__init__(daemon=True)
        self.held = threading.Event()
        self.held.set()
        self.took = threading.Semaphore(0)
        self._waiting, self._sink = waiting, sink

    def run(self) -> None:
        while (item := self._waiting.get(timeout=10)) is not None:
            self.took.release()
            self.held.wait(10)
            self._sink.messages.append(item.encode())


def test_packets_go_straight_only_while_the_writer_rests_and_nothing_waits() -> None:
    waiting, sink = Straight(), Sink()
    waiting.lead_to(sink.send)
    waiting.put(message("a"))  # nobody writes yet
    assert not sink.messages and waiting.qsize() == 1
    writer = Writer(waiting, sink)
    writer.held.clear()
    writer.start()
    assert writer.took.acquire(timeout=10)
    waiting.put(message("b"))  # the writer has taken one, and not written it
    assert not sink.messages and waiting.qsize() == 1
    writer.held.set()
    assert writer.took.acquire(timeout=10)
    while not waiting._resting:
        pass
    waiting.put(message("c"))
    assert sink.messages == ["4a", "4b", "4c"] and not waiting.qsize()
    sink.answer = False
    waiting.put(message("d"))
    waiting.put(None)
    writer.join(10)
    assert sink.messages == ["4a", "4b", "4c", "4d"]


def test_what_went_in_part_has_the_writer_send_the_rest() -> None:
    waiting, sink = Straight(), Sink()
    waiting.lead_to(sink.send)
    sink.answer = None
    with pytest.raises(queue.Empty):
        waiting.get(timeout=0.01)
    waiting.put(message("a"))
    assert sink.messages == ["4a"] and waiting.get(timeout=1).packet_type == packet.NOOP


def test_a_client_whose_packets_go_straight_does_not_count_as_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, sink = Straight(), Sink()
    waiting.lead_to(sink.send)
    waits: list[float | None] = []

    def wait(self: Straight, block: bool = True, timeout: float | None = None) -> None:
        waits.append(timeout)
        if len(waits) == 1:
            self.put(message("a"))
        raise queue.Empty

    monkeypatch.setattr(queue.Queue, "get", wait)
    with pytest.raises(queue.Empty):
        waiting.get(timeout=45)
    assert sink.messages == ["4a"] and waits == [45, 45]


@pytest.mark.skipif(not straight.IS_KNOWN, reason="this system has no such way")
def test_a_connection_takes_what_it_has_room_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        assert write_now(ours, b"abc") == 3 and theirs.recv(10) == b"abc"
        data = bytes(10_000_000)
        sent = write_now(ours, data)
        assert 0 < sent < len(data)
        while write_now(ours, data):
            pass
        assert write_now(ours, data) == 0  # full: it does not wait
        theirs.close()
        with pytest.raises(OSError):
            write_now(ours, data)
