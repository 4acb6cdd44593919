# SPDX-License-Identifier: Apache-2.0
"""talk.py: both ends of a socket that tests talk over.

Owns the threads that accept. Never decides what is said.
"""

import json
import socket
import threading


def ask(path, command, timeout):
    """One command to the supervisor whose socket this is; its answer, decoded."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        sock.connect(path)
        sock.sendall(command.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            piece = sock.recv(65536)
            if not piece:
                break
            answer += piece
    return json.loads(answer)


def accept(server, take):
    """Gives each connection to take(), in a thread, until the server is closed."""
    def run():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            take(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def accept_each(server, serve):
    """Likewise; each connection is served in a thread of its own."""
    return accept(server, lambda connection: threading.Thread(target=serve, args=(connection,), daemon=True).start())
