#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slack stand-in: a local Slack for tests and the quickstart.

Owns the command line. Never prints a secret; it only wires standin/ together.

  standin.py --port 0 --app-url http://127.0.0.1:8080 --signing-secret-file F --bot-token-file F --port-file P

The app is configured with http://127.0.0.1:PORT/api/ as Slack's API; signed deliveries go to the app's
/slack/interactions, /slack/commands and /slack/events. People look at http://127.0.0.1:PORT/. Tests act and look
through http://127.0.0.1:PORT/control/NAME (JSON): README.md beside this file lists every command.
"""

import argparse
import json
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from standin.server import StandIn, read_secret


def write_port(path, port):
    """Readers see either no file or the whole number."""
    temporary = path + ".new"
    with open(temporary, "w", encoding="ascii") as file:
        file.write("%d\n" % port)
    os.replace(temporary, path)


def parse_args(argv):
    parser = argparse.ArgumentParser(description="A local Slack for tests and the quickstart.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 picks a free one")
    parser.add_argument("--app-url", required=True, help="base URL of the app that gets the deliveries")
    parser.add_argument("--app-ca-file", help="CA certificate for an https app URL")
    parser.add_argument("--public-url", help="base of response URLs, when the app reaches us under another name")
    parser.add_argument("--signing-secret-file", required=True)
    parser.add_argument("--bot-token-file", required=True)
    parser.add_argument("--app-token-file", help="app-level token: deliveries come over Socket Mode")
    parser.add_argument("--seed-file", help="JSON; its keys replace those of the default workspace")
    parser.add_argument("--ready-fd", type=int, help="write the port and a newline here when listening")
    parser.add_argument("--port-file", help="write the port here when listening")
    parser.add_argument("--rate-limits", choices=("off", "real"), default="off")
    parser.add_argument("--event-retry-delays", default="0,60,300", metavar="S,S,S",
                        help="seconds before each retry of an event (default %(default)s)")
    parser.add_argument("--ack-timeout", type=float, default=3.0, metavar="S")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    seed_world = None
    if args.seed_file:
        with open(args.seed_file, encoding="utf-8") as file:
            seed_world = json.load(file)
    standin = StandIn(args.app_url, read_secret(args.signing_secret_file), read_secret(args.bot_token_file),
                      args.rate_limits == "real", seed_world, args.app_ca_file)
    standin.push.ack_timeout_s = args.ack_timeout
    standin.push.retry_delays_s = [float(part) for part in args.event_retry_delays.split(",") if part]
    if args.app_token_file:
        standin.enable_socket_mode(read_secret(args.app_token_file))
    port = standin.bind(args.host, args.port, args.public_url)

    def stop(_signal, _frame):
        # serve_forever must not be stopped from its own thread.
        threading.Thread(target=standin.stop, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if args.port_file:
        write_port(args.port_file, port)
    if args.ready_fd is not None:
        os.write(args.ready_fd, b"%d\n" % port)
        os.close(args.ready_fd)
    print("Slack stand-in: open %s/" % standin.world.base_url, flush=True)
    standin.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
