# SPDX-License-Identifier: Apache-2.0
"""Socket Mode: the app's connections and the envelopes that travel over them.

Owns tickets, connections, envelopes under way, the three-second rule and redelivery. Never builds a payload
(payloads.py) and never decides what a person then sees (acts.py). Each envelope goes to one connection, any of them;
what is not acknowledged in time has failed for the person, and is delivered again: when its connection ends, or after
the time, over whatever connection there is then. Called without the world's lock.
"""

import json
import random
import secrets
import threading
import time
import uuid

from . import websocket

TICKET_LIFE_S = 30.0
CONNECTIONS_MAX = 10
ACK_SIZE_MAX = 20480  # frames of this size and more are dropped in silence
PING_INTERVAL_S = 5.0
SILENCE_S = 30.0  # so long a connection may say nothing, not even a pong
ATTEMPTS_MAX = 3
LATE_S = 60.0  # so long an unacknowledged envelope waits for a connection
IN_VAIN_MAX = 2  # and so often
LIFETIME_S = 18060
DISCONNECT_REASONS = ("warning", "refresh_requested", "link_disabled", "too_many_websockets")


class Connection:
    """One socket of the app."""

    def __init__(self, number, sock):
        self.number = number
        self.socket = sock
        self.ghost = False    # counted and chosen, but nothing of it arrives
        self.draining = False  # told to go: gets nothing new
        self.answered_at = 0.0  # wall: when that was sent which it has answered last, a ping or an envelope


class Envelope:
    """One payload on its way."""

    def __init__(self, kind, payload, takes_answer):
        self.id = str(uuid.uuid4())
        self.kind = kind
        self.payload = payload
        self.takes_answer = takes_answer
        self.attempt = 0
        self.reason = ""
        self.connection = None
        self.sent_at = 0.0
        self.answer = None  # the acknowledgement's payload, as text
        self.acked_at = None
        self.sent_to = []  # numbers of the connections that were to bring it, in their order


class Sockets:
    """All connections of one app."""

    def __init__(self, world, stopping):
        self.world = world
        self._stopping = stopping
        self._lock = threading.Condition()
        self._connections = []
        self._strangers = 0
        self._envelopes = {}
        self._next_number = 0
        self._acks_seen = []
        self.ack_timeout_s = 3.0
        self.redeliver = True
        self.fragments = 1
        self.lifetime_s = LIFETIME_S
        self.oversize = "drop"

    # -- connections ----------------------------------------------------------------------------------------------

    def _take_ticket(self, ticket):
        with self.world.lock:
            ends = self.world.socket_tickets.pop(ticket, 0)
            return self.world.socket_mode and ends > time.monotonic()

    def serve(self, handler, query):
        """Answer one upgrade and serve the socket until it ends. On the connection's own thread."""
        key = handler.headers.get("Sec-WebSocket-Key", "")
        upgrade = handler.headers.get("Upgrade", "").lower() == "websocket"
        if not upgrade or not key or handler.headers.get("Sec-WebSocket-Version") != "13":
            return 400
        if not self._take_ticket(query.get("ticket", "")):
            return 409
        with self._lock:
            if len(self._connections) + self._strangers >= CONNECTIONS_MAX:
                return 429
        handler.send_response(101)
        handler.send_header("Upgrade", "websocket")
        handler.send_header("Connection", "Upgrade")
        handler.send_header("Sec-WebSocket-Accept", websocket.WebSocket.accept_value(key))
        handler.end_headers()
        handler.wfile.flush()
        self._run(websocket.WebSocket(handler.connection))
        return 0

    def _run(self, sock):
        with self._lock:
            self._next_number += 1
            connection = Connection(self._next_number, sock)
            self._connections.append(connection)
        try:
            self._hello(connection)
            with self._lock:
                self._lock.notify_all()
            self._read(connection)
        except websocket.Ended:
            pass
        finally:
            with self._lock:
                self._connections.remove(connection)
                self._lock.notify_all()
            with self.world.lock:
                self.world.touch()

    def _hello(self, connection):
        with self._lock:
            count = len(self._connections) + self._strangers
        connection.socket.send_text(json.dumps({
            "type": "hello", "num_connections": count,
            "debug_info": {"host": "applink-standin", "build_number": 1,
                           "approximate_connection_time": self.lifetime_s},
            "connection_info": {"app_id": self.world.app["id"]}}))

    def _read(self, connection):
        sock = connection.socket
        heard = time.monotonic()
        while not self._stopping.is_set():
            frame = sock.receive(PING_INTERVAL_S)
            if connection.ghost:
                continue
            if frame is None:
                if time.monotonic() - heard > SILENCE_S:
                    sock.cut()
                    return
                sock.send(websocket.PING, b"%.6f" % time.time())
                continue
            heard = time.monotonic()
            opcode, final, data = frame
            if opcode == websocket.CLOSE:
                sock.close(1000)
                return
            if opcode == websocket.PING:
                sock.send(websocket.PONG, data)
            elif opcode == websocket.PONG:
                self._answered(connection, data)
            elif opcode == websocket.TEXT and final:
                if len(data) < ACK_SIZE_MAX:
                    self._acknowledge(data)
                elif self.oversize == "close":
                    sock.close(1009)
                    return

    @staticmethod
    def _answered(connection, data):
        try:
            connection.answered_at = max(connection.answered_at, float(data))
        except ValueError:
            pass  # "between": fragments' own ping

    def _acknowledge(self, data):
        try:
            ack = json.loads(data.decode("utf-8"))
            identity = ack["envelope_id"]
        except (ValueError, KeyError, TypeError):
            return
        with self._lock:
            self._acks_seen.append({"envelope_id": identity, "at": time.time(), "size": len(data)})
            del self._acks_seen[:-1000]
            envelope = self._envelopes.get(identity)
            if envelope is not None and envelope.acked_at is None:
                envelope.acked_at = time.monotonic()
                envelope.connection.answered_at = time.time() - (envelope.acked_at - envelope.sent_at)
                payload = ack.get("payload")
                envelope.answer = json.dumps(payload) if payload and envelope.takes_answer else ""
                self._lock.notify_all()

    # -- what tests do to them ------------------------------------------------------------------------------------

    def _named(self, number):
        if number is None:
            return list(self._connections)
        return [each for each in self._connections if each.number == int(number)]

    def disconnect(self, reason="refresh_requested", connection=None, close_after_s=None):
        """Slack's word that a connection (or all) will end; it is closed after a while, as Slack does."""
        if reason not in DISCONNECT_REASONS:
            raise ValueError("reason must be one of %s" % ", ".join(DISCONNECT_REASONS))
        with self._lock:
            chosen = self._named(connection)
            for each in chosen:
                each.draining = reason != "warning"
        for each in chosen:
            try:
                each.socket.send_text(json.dumps({"type": "disconnect", "reason": reason,
                                                  "debug_info": {"host": "applink-standin"}}))
            except websocket.Ended:
                continue
            if close_after_s is not None:
                threading.Timer(float(close_after_s), self._close, (each,)).start()
        return [each.number for each in chosen]

    @staticmethod
    def _close(connection):
        try:
            connection.socket.close(1000)
        except websocket.Ended:
            pass

    def cut(self, connection=None):
        """Connections end without a word."""
        with self._lock:
            chosen = self._named(connection)
        for each in chosen:
            each.socket.cut()
        return [each.number for each in chosen]

    def haunt(self, connection=None):
        """Connections go on existing, and nothing passes in either direction: half-open."""
        with self._lock:
            chosen = self._named(connection)
            for each in chosen:
                each.ghost = True
        return [each.number for each in chosen]

    def set_strangers(self, count):
        """So many connections of another program that uses the app's token."""
        with self._lock:
            self._strangers = int(count)

    def state(self):
        """Connections and envelopes, for a test to look at."""
        with self._lock:
            return {"connections": [{"number": each.number, "draining": each.draining, "ghost": each.ghost,
                                     "answered_at": each.answered_at} for each in self._connections],
                    "strangers": self._strangers, "acks": list(self._acks_seen),
                    "waiting": [each.id for each in self._envelopes.values() if each.acked_at is None]}

    def reset(self):
        with self._lock:
            self._strangers = 0
            self._envelopes.clear()
            self._acks_seen.clear()
            self._lock.notify_all()
        self.ack_timeout_s, self.redeliver, self.fragments = 3.0, True, 1
        self.lifetime_s, self.oversize = LIFETIME_S, "drop"

    # -- envelopes ------------------------------------------------------------------------------------------------

    def deliver(self, kind, payload, takes_answer, retry=(0, ""), identity=None, late=None):
        """Send an envelope and wait for its acknowledgement. Gives (acked, answer, error, envelope id).

        `identity` delivers an earlier envelope once more; `late` is called when no further delivery of what was not
        acknowledged in time follows, with whether it was acknowledged after all, how often it was sent, and whether
        it waited for a connection in vain.
        """
        envelope = Envelope(kind, payload, takes_answer)
        envelope.id = identity or envelope.id
        envelope.attempt, envelope.reason = retry
        deadline = time.monotonic() + self.ack_timeout_s
        with self._lock:
            self._envelopes[envelope.id] = envelope
            self._send_when_possible(envelope, deadline)
            self._wait(envelope, deadline)
            acked = envelope.acked_at is not None
            error = "" if acked else "timeout" if envelope.sent_at else "no_connection"
            if acked or not self.redeliver or kind == "events_api":
                self._envelopes.pop(envelope.id, None)
        if not acked and self.redeliver and kind != "events_api":
            threading.Thread(target=self._deliver_later, args=(envelope, late), daemon=True).start()
        return acked, envelope.answer or "", error, envelope.id

    def _usable(self):
        return [each for each in self._connections if not each.draining] or list(self._connections)

    def _send_when_possible(self, envelope, deadline):
        """Over any connection, or the first that comes. The lock is held."""
        while not self._stopping.is_set():
            usable = self._usable()
            if usable and self._send(envelope, random.choice(usable)):
                return True
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            self._lock.wait(min(left_s, 0.05 if usable else left_s))
        return False

    def _send(self, envelope, connection):
        message = {"envelope_id": envelope.id, "type": envelope.kind, "payload": envelope.payload,
                   "accepts_response_payload": envelope.takes_answer}
        if envelope.kind == "events_api" or envelope.attempt:
            message["retry_attempt"], message["retry_reason"] = envelope.attempt, envelope.reason
        envelope.connection, envelope.sent_at = connection, time.monotonic()
        try:
            if not connection.ghost:
                connection.socket.send_text(json.dumps(message), self.fragments)
        except websocket.Ended:
            return False
        envelope.sent_to.append(connection.number)
        return True

    def _wait(self, envelope, deadline):
        """Until it is acknowledged or the time is over; sent again at once when its connection ends."""
        while envelope.acked_at is None and not self._stopping.is_set():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            gone = envelope.connection is not None and envelope.connection not in self._connections
            if gone and self.redeliver:
                envelope.attempt, envelope.reason = envelope.attempt + 1, "connection_lost"
                if not self._send_when_possible(envelope, deadline):
                    return
                continue
            self._lock.wait(min(left_s, 0.2))

    def _deliver_later(self, envelope, late):
        """Not acknowledged in time: again, over a connection that is there or comes."""
        in_vain = 0
        with self._lock:
            while envelope.acked_at is None and len(envelope.sent_to) < ATTEMPTS_MAX and in_vain < IN_VAIN_MAX:
                if envelope.id not in self._envelopes or self._stopping.is_set():
                    return
                envelope.attempt, envelope.reason = envelope.attempt + 1, "timeout"
                if self._send_when_possible(envelope, time.monotonic() + LATE_S):
                    self._wait(envelope, time.monotonic() + self.ack_timeout_s)
                else:
                    in_vain += 1
            self._envelopes.pop(envelope.id, None)
        if late is not None:
            late(envelope.acked_at is not None, len(envelope.sent_to), in_vain > 0)
