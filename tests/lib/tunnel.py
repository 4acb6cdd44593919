# SPDX-License-Identifier: Apache-2.0
"""tunnel.py: what stands between a host and Slack in a company's network.

Owns a proxy that wants credentials and opens tunnels only (CONNECT), and a TLS front before a plain
server. Never looks at what passes through either, and never reaches further than loopback.
"""
import base64
import select
import socket
import ssl
import subprocess
import threading


def pump(one, other):
    """Bytes in both directions until either side ends."""
    peers = {one: other, other: one}
    try:
        while True:
            waiting = [each for each in peers if isinstance(each, ssl.SSLSocket) and each.pending()]
            for ready in waiting or select.select(list(peers), [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                peers[ready].sendall(data)
    except (OSError, ValueError):
        pass
    finally:
        one.close()
        other.close()


class Listener:
    """Accepts on loopback; each connection has a thread."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.open.append(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        raise NotImplementedError

    def cut(self):
        """Ends what passes through now, as a restart does."""
        for peer in self.open:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open.clear()

    def close(self):
        self.socket.close()
        self.cut()


class Proxy(Listener):
    """CONNECT with Basic credentials; every other host than loopback is refused."""

    def __init__(self, user, password):
        self.wanted = "basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.tunnels, self.refused = [], 0
        super().__init__()

    def serve(self, peer):
        head = b""
        while b"\r\n\r\n" not in head:
            more = peer.recv(4096)
            if not more:
                return
            head += more
        lines = head.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        method, target, _ = lines[0].split(" ")
        if headers.get("proxy-authorization", "") != self.wanted.lower():
            self.refused += 1
            peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                         b"Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
            peer.close()
        elif method != "CONNECT" or not target.startswith(("localhost:", "127.0.0.1:")):
            peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            peer.close()
        else:
            self.tunnels.append(target)
            server = socket.create_connection(("127.0.0.1", int(target.rsplit(":", 1)[1])))
            self.open.append(server)
            peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pump(peer, server)


class TlsFront(Listener):
    """TLS before a plain server, with a certificate that only its own file vouches for."""

    def __init__(self, directory):
        self.certificate, key = directory + "/front.pem", directory + "/front.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.target = None
        super().__init__()

    def serve(self, peer):
        try:
            pump(self.context.wrap_socket(peer, server_side=True),
                 socket.create_connection(("127.0.0.1", self.target)))
        except OSError:
            peer.close()
