# SPDX-License-Identifier: Apache-2.0
"""wal.py: reads the write-ahead logs of two hosts and compares them, record by record.

Owns a reader of the format in storage/record.h and storage/wal_segment.h, written from the text
there and not from the code. Only reads. What the two have at the same LSN must be the same bytes.
"""

import os
import struct

SEGMENT = struct.Struct("<8sII QQQ 16s16s")
RECORD = struct.Struct("<IIQQ BBHIQQQ 16s16s")
SEGMENT_MAGIC, RECORD_MAGIC = b"AWALSEG1", 0x31525741
FIRST, LOCAL, HEADER = 4096, 24, 88


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
