# SPDX-License-Identifier: Apache-2.0
"""wal.py: reads the write-ahead logs and stores of two hosts and compares them.

Owns a reader of the formats in storage/record.h, wal_segment.h and store_facts.h, written from the
texts there and not from the code. Only reads. What the two have at the same LSN must be the same
bytes, and each store, with the log behind it applied, the same keys and values.
"""

import os
import shutil
import struct
import subprocess

SEGMENT = struct.Struct("<8sII QQQ 16s16s")
RECORD = struct.Struct("<IIQQ BBHIQQQ 16s16s")
SEGMENT_MAGIC, RECORD_MAGIC = b"AWALSEG1", 0x31525741
FIRST, LOCAL, HEADER = 4096, 24, 88
CHANGE = struct.Struct("<BBHI")
KIND_CHANGES, PUT = 1, 1
APPLIED_AT = 36  # in the facts: a big-endian u64


def segment_records(data):
    """Yields (lsn, epoch, the bytes that all hosts share)."""
    magic, _crc, version, _seq, size, salt, _cluster, _store = SEGMENT.unpack_from(data)
    if magic != SEGMENT_MAGIC or version != 1 or size != len(data):
        raise ValueError("not a segment")
    at = FIRST
    while at + HEADER <= len(data):
        fields = RECORD.unpack_from(data, at)
        length, lsn, epoch = fields[7], fields[8], fields[9]
        if fields[0] != RECORD_MAGIC or fields[2] != salt or at + HEADER + length > len(data):
            return
        end = at + HEADER + (length + 7 & ~7)
        yield lsn, epoch, data[at + LOCAL:end]
        at = end


def read_log(folder):
    """{lsn: (epoch, bytes)} of what a data directory's log holds."""
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.startswith("wal-") and name.endswith(".seg"):
            with open(os.path.join(folder, name), "rb") as handle:
                for lsn, epoch, data in segment_records(handle.read()):
                    found[lsn] = (epoch, data)
    return found


def compare(one, other):
    """(how many records were compared, what is wrong)."""
    both = sorted(one.keys() & other.keys())
    wrong = [f"LSN {lsn}: epoch {one[lsn][0]} here, {other[lsn][0]} there"
             if one[lsn][0] != other[lsn][0] else f"LSN {lsn}: other bytes under one epoch"
             for lsn in both if one[lsn] != other[lsn]]
    return len(both), [f"the logs differ: {text}" for text in wrong[:5]]


# -- the stores --------------------------------------------------------------------------------------

def fold(state, log, first, last):
    """Applies the records first to last of a log to {key: value}."""
    for lsn in range(first, last + 1):
        data = log[lsn][1]
        kind, size = data[1], struct.unpack_from("<I", data, 4)[0]
        payload, at = data[HEADER - LOCAL:HEADER - LOCAL + size], 0
        while kind == KIND_CHANGES and at < len(payload):
            operation, _, key_size, value_size = CHANGE.unpack_from(payload, at)
            at += CHANGE.size
            key, value = payload[at:at + key_size], payload[at + key_size:at + key_size + value_size]
            at += key_size + value_size
            if operation == PUT:
                state[key] = value
            else:
                state.pop(key, None)
    return state


def parse_dump(text):
    """(applied LSN, {key: value}) of what mdb_dump -a prints."""
    databases, name, lines = {}, None, []
    for line in text.split("\n"):
        if line.startswith("database="):
            name, lines = line[9:], []
        elif line.startswith(" "):
            lines.append(bytes.fromhex(line[1:]))
        elif line == "DATA=END":
            databases[name] = dict(zip(lines[::2], lines[1::2], strict=True))
    facts = next(iter(databases["facts"].values()))
    return struct.unpack_from(">Q", facts, APPLIED_AT)[0], databases["state"]


def read_store(folder):
    """The same of a data directory whose host is stopped; None without lmdb-utils."""
    if shutil.which("mdb_dump") is None:
        return None
    done = subprocess.run(["mdb_dump", "-a", "-n", os.path.join(folder, "state.mdb")],
                          capture_output=True, text=True, check=True, timeout=60)
    return parse_dump(done.stdout)


def state_at(store, log, lsn):
    """What a store holds as of a record, or None when it is past it or the log lacks a record."""
    applied, state = store
    if applied > lsn or any(n not in log for n in range(applied + 1, lsn + 1)):
        return None
    return fold(dict(state), log, applied + 1, lsn)


def compare_stores(stores, logs):
    """What is wrong between two stores, at the later one's record. The logs agree where both have
    a record (compare says so), so that one of them may carry the other host's store on."""
    log = {**logs[0], **logs[1]}
    lsn = max(applied for applied, _ in stores)
    states = [state_at(store, log, lsn) for store in stores]
    if None in states:
        return [f"the stores cannot be compared: applied {[applied for applied, _ in stores]}"]
    keys = {key for key in states[0].keys() | states[1].keys()
            if states[0].get(key) != states[1].get(key)}
    return [f"the stores differ at LSN {lsn} in {len(keys)} keys: {sorted(keys)[:3]}"] if keys else []
