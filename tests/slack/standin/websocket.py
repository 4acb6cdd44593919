# SPDX-License-Identifier: Apache-2.0
"""One WebSocket, the server's side.

Owns the handshake's answer, frames and the closing handshake. Never reassembles fragments of the client, because Slack
is suspected not to; never knows what a message means. Strict where RFC 6455 is: an unmasked or reserved frame ends the
connection, so that a client's mistake shows.
"""

import base64
import hashlib
import socket
import struct
import threading

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Ended(Exception):
    """The connection is over."""


class WebSocket:
    """Frames over a socket whose HTTP request has been read."""

    def __init__(self, connection):
        self._connection = connection
        self._buffer = b""
        self._sending = threading.Lock()
        self.close_sent = False

    @staticmethod
    def accept_value(key):
        """Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
        return base64.b64encode(hashlib.sha1((key + GUID).encode("ascii")).digest()).decode("ascii")

    # -- sending --------------------------------------------------------------------------------------------------

    def send(self, opcode, payload, final=True):
        """One frame; raises Ended when the peer is gone."""
        size = len(payload)
        head = bytes([(0x80 if final else 0) | opcode])
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += bytes([126]) + struct.pack("!H", size)
        else:
            head += bytes([127]) + struct.pack("!Q", size)
        try:
            with self._sending:
                self._connection.sendall(head + payload)
        except OSError as error:
            raise Ended(str(error)) from error

    def send_text(self, text, fragments=1):
        """A message, whole or in as many frames as asked for, with a ping between them."""
        data = text.encode("utf-8")
        step = max(1, -(-len(data) // fragments))
        parts = [data[at:at + step] for at in range(0, len(data), step)] or [b""]
        for number, part in enumerate(parts):
            self.send(TEXT if number == 0 else CONTINUATION, part, number == len(parts) - 1)
            if number < len(parts) - 1:
                self.send(PING, b"between")

    def close(self, status=1000):
        """Begin, or answer, the closing handshake."""
        if not self.close_sent:
            self.close_sent = True
            self.send(CLOSE, struct.pack("!H", status))

    def cut(self):
        """End the connection without a word."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    # -- receiving ------------------------------------------------------------------------------------------------

    def _fill(self, size):
        """At least `size` bytes in the buffer. Raises socket.timeout with what has come kept."""
        while len(self._buffer) < size:
            try:
                more = self._connection.recv(65536)
            except socket.timeout:
                raise
            except OSError as error:
                raise Ended(str(error)) from error
            if not more:
                raise Ended("closed")
            self._buffer += more

    def receive(self, timeout_s):
        """(opcode, final, payload) of the next frame, or None when nothing came in time."""
        self._connection.settimeout(timeout_s)
        try:
            self._fill(2)
            size, at = self._buffer[1] & 0x7F, 2
            if size == 126:
                self._fill(4)
                size, at = struct.unpack("!H", self._buffer[2:4])[0], 4
            elif size == 127:
                self._fill(10)
                size, at = struct.unpack("!Q", self._buffer[2:10])[0], 10
            self._fill(at + 4 + size)
        except socket.timeout:
            return None
        first, masked = self._buffer[0], self._buffer[1] & 0x80
        mask = self._buffer[at:at + 4]
        data = self._buffer[at + 4:at + 4 + size]
        self._buffer = self._buffer[at + 4 + size:]
        if not masked or first & 0x70:
            self.close(1002)
            raise Ended("the client broke the protocol")
        return first & 0x0F, bool(first & 0x80), bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
