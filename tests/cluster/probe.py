#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""probe.py SPEC: asks for a durable write over a new connection every few milliseconds.

Runs in the clients' namespace. Owns its connections and one file of JSON lines: "begin" and "end"
on the monotonic clock, the status, or why there is none. From them the length of a pause is read.
Never waits for one write before it begins the next.
"""

import asyncio
import json
import sys
import threading
import time


def request_bytes(spec, number):
    body = json.dumps({"policy": "prod-deploy", "title": f"probe {number}", "reason": "probe",
                       "requester": spec["requester"]}).encode()
    return (f"POST /v1/requests HTTP/1.1\r\nHost: {spec['vip']}\r\nConnection: close\r\n"
            f"Authorization: Bearer {spec['token']}\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {spec['seed']}-probe-{number}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


async def one(spec, number, out):
    begin, status, problem, sent = time.monotonic(), 0, "", False
    writer = None
    try:
        async with asyncio.timeout(spec["timeout"]):
            reader, writer = await asyncio.open_connection(spec["vip"], spec["port"])
            writer.write(request_bytes(spec, number))
            await writer.drain()
            sent = True
            line = await reader.readline()
            status = int(line.split()[1]) if line else 0
            problem = "" if line else "closed"
    except TimeoutError:
        problem = "timeout"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except (ValueError, IndexError):
        problem = "nonsense"
    finally:
        if writer is not None:
            writer.close()
    out.write(json.dumps({"n": number, "begin": begin, "end": time.monotonic(), "status": status,
                          "problem": problem, "sent": sent}) + "\n")


async def main(spec):
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_end():
        sys.stdin.read()
        loop.call_soon_threadsafe(ending.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    print("ready", flush=True)
    with open(spec["history"], "a", encoding="utf-8") as out:
        tasks, number = set(), 0
        while not ending.is_set():
            number += 1
            task = asyncio.create_task(one(spec, number, out))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(spec["every"])
        if tasks:
            await asyncio.wait(tasks)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as handle:
        asyncio.run(main(json.load(handle)))
