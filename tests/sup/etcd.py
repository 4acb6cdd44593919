# SPDX-License-Identifier: Apache-2.0
"""etcd.py: a real etcd on loopback with mutual TLS, for tests.

Owns one etcd process, its directory and its certificates; ends only what it started.
"""

import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib.ports import free_port  # noqa: E402  the path is set above
from lib.waiting import PATIENCE_S  # noqa: E402


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """A CA and the certificates that it has signed. etcd 3.4's gateway needs both usages."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.ca = os.path.join(folder, f"{name}.pem")
        self.ca_key = os.path.join(folder, f"{name}.key")
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", self.ca_key, "-out", self.ca, "-days", "30", "-subj", f"/CN={name}")

    def leaf(self, name, *names, subject=None):
        """(certificate, key) for name, valid for the given DNS:… and IP:… names."""
        certificate = os.path.join(self.folder, f"{name}.pem")
        key = os.path.join(self.folder, f"{name}.key")
        request = os.path.join(self.folder, f"{name}.csr")
        usages = os.path.join(self.folder, f"{name}.ext")
        with open(usages, "w", encoding="utf-8") as handle:
            handle.write(f"subjectAltName={','.join(names or (f'DNS:{name}',))}\n")
            handle.write("extendedKeyUsage=serverAuth,clientAuth\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", key, "-out", request, "-subj", subject or f"/CN={name}")
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key,
                 "-CAcreateserial", "-out", certificate, "-days", "30", "-extfile", usages)
        return certificate, key


class Etcd:
    """One node. start, stop, freeze; its data stays between starts."""

    def __init__(self, folder, authority, address="127.0.0.1", port=None, prefix=()):
        self.folder = folder
        self.authority = authority
        self.address = address
        self.port = port or free_port()
        self.peer_port = free_port() if port is None else port + 1
        self.certificate, self.key = authority.leaf("etcd", f"IP:{address}", "DNS:localhost")
        self.data = os.path.join(folder, "etcd-data")
        self.log = os.path.join(folder, "etcd.log")
        self.prefix = list(prefix)
        self.process = None

    @property
    def url(self):
        return f"https://{self.address}:{self.port}"

    def start(self):
        peer = f"http://127.0.0.1:{self.peer_port}"
        command = [
            *self.prefix, "etcd", "--name", "arbiter", "--data-dir", self.data,
            "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"arbiter={peer}",
            "--cert-file", self.certificate, "--key-file", self.key,
            "--trusted-ca-file", self.authority.ca, "--client-cert-auth",
        ]
        # etcd's own documentation asks for this on arm64; harmless elsewhere.
        environment = dict(os.environ, ETCD_UNSUPPORTED_ARCH="arm64")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.wait_ready()

    def wait_ready(self, seconds=PATIENCE_S):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            result = subprocess.run(
                [*self.prefix, "curl", "-s", "--cacert", self.authority.ca, "--cert",
                 self.certificate, "--key", self.key, f"{self.url}/health"],
                capture_output=True, text=True, check=False)
            if '"health":"true"' in result.stdout:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self.log, encoding="utf-8", errors="replace") as handle:
            raise RuntimeError("etcd did not start:\n" + handle.read()[-4000:])

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        self.process = None

    def freeze(self):
        """Returns when every thread stands still: on a busy machine one goes on for a moment."""
        self.process.send_signal(signal.SIGSTOP)
        until = time.monotonic() + PATIENCE_S
        while any(state not in "Tt" for state in self._states()):
            assert time.monotonic() < until, "etcd does not stop"
            time.sleep(0.001)

    def _states(self):
        folder = f"/proc/{self.process.pid}/task"
        for task in os.listdir(folder):
            with open(f"{folder}/{task}/stat", encoding="ascii") as stat:
                yield stat.read().rsplit(")", 1)[1].split()[0]

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


def own(test, folder):
    """(authority, etcd) of a test case: it runs until the case is over."""
    authority = Authority(folder)
    arbiter = Etcd(folder, authority)
    arbiter.start()
    test.addCleanup(arbiter.kill)
    return authority, arbiter
