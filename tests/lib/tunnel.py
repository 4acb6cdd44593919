# SPDX-License-Identifier: Apache-2.0
"""tunnel.py: what stands between a host and Slack in a company's network.

Owns a proxy that wants credentials and opens tunnels only (CONNECT), and a TLS front before a plain
server. Never looks at what passes through either, and never reaches further than loopback, or than the
one place that whoever starts it as a program names:

    tunnel.py proxy ADDRESS:PORT TARGET:PORT USER PASSWORD
    tunnel.py tls ADDRESS:PORT TARGET:PORT CERTIFICATE KEY

It says "ready" when it listens. The credentials are a test's own, so they may stand there.
"""
import base64
import select
import socket
import ssl
import subprocess
import sys
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
    """Accepts, on loopback unless told otherwise; each connection has a thread."""

    def __init__(self, address=("127.0.0.1", 0)):
        self.socket = socket.create_server(address)
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
            threading.Thread(target=self._guard, args=(peer,), daemon=True).start()

    def _guard(self, peer):
        try:
            self.serve(peer)
        except OSError:
            peer.close()  # the client has gone, also in the middle of a word

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
    """CONNECT with Basic credentials; every other host than loopback, or target, is refused."""

    def __init__(self, user, password, address=("127.0.0.1", 0), target=None):
        self.wanted = "basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.tunnels, self.refused = [], 0
        self.target = target
        super().__init__(address)

    def _place(self, named):
        """Where a tunnel to the named "host:port" leads, or None."""
        host, _, port = named.rpartition(":")
        if self.target is not None:
            return self.target if (host, int(port)) == self.target else None
        return ("127.0.0.1", int(port)) if host in ("localhost", "127.0.0.1") else None

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
        elif method != "CONNECT" or self._place(target) is None:
            peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            peer.close()
        else:
            self.tunnels.append(target)
            try:
                server = socket.create_connection(self._place(target), 10)
            except OSError:
                peer.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                peer.close()
                return
            server.settimeout(None)
            self.open.append(server)
            peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pump(peer, server)


class TlsFront(Listener):
    """TLS before a plain server on `host`, with a certificate that only its own file vouches for."""

    def __init__(self, directory, address=("127.0.0.1", 0), host="127.0.0.1", files=None):
        self.certificate, key = files or self.made(directory)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.host, self.target = host, None
        super().__init__(address)

    @staticmethod
    def made(directory, name="localhost"):
        """The files of a certificate for that name and of its key."""
        certificate, key = f"{directory}/{name}.pem", f"{directory}/{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name,
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        return certificate, key

    def serve(self, peer):
        try:
            pump(self.context.wrap_socket(peer, server_side=True),
                 socket.create_connection((self.host, self.target)))
        except OSError:
            peer.close()


def main():
    kind, here, there, one, other = sys.argv[1:]
    (address, port), (host, target) = (place.rsplit(":", 1) for place in (here, there))
    if kind == "proxy":
        Proxy(one, other, (address, int(port)), (host, int(target)))
    else:
        TlsFront(None, (address, int(port)), host, (one, other)).target = int(target)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
