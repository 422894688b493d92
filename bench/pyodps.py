"""The vendor's client at the same work: pyodps.py SERVER copy|hashed|arrow|ndjson|write TABLE FILE SPLIT_ROWS prints seconds and rows."""
import base64
import datetime
import hashlib
import json
import os
import sys
import time

import pyarrow as pa
from odps import ODPS, options
from odps.apis.storage_api_v2 import SplitOptions, StorageApiArrowClient

server, what, name, path, split_rows = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])
options.local_timezone = False
odps = ODPS(server["accessId"], server["accessKey"], server["project"], endpoint=server["url"] + "/api")
client = StorageApiArrowClient(odps, odps.get_table(name))


def splits():
    by_rows = SplitOptions(split_mode=SplitOptions.SplitMode.ROW_OFFSET, split_number=split_rows)
    session = client.create_read_session(split_options=by_rows)
    for offset in range(0, session.record_count, split_rows):
        yield dict(
            session_id=session.session_id,
            row_offset=offset,
            row_count=min(split_rows, session.record_count - offset),
        )


def each_batch(split):
    reader = client.read_rows_arrow(**split)
    while (batch := reader.read()) is not None:
        yield batch


def copy(hashes=()):
    """The stream as it comes."""
    rows = 0
    for at, split in enumerate(splits()):
        with open(f"{path}-{at}", "wb") as file:
            stream = client.read_rows_stream(**split)
            sums = [new() for new in hashes]
            while chunk := stream.read(1 << 20):
                file.write(chunk)
                for one in sums:
                    one.update(chunk)
            os.fsync(file.fileno())
        rows += split["row_count"]
    return rows


def hashed():
    """The same, with what a landing records of each object: the SHA-256 of its bytes."""
    return copy([hashlib.sha256])


def arrow():
    """Through the Arrow reader, and out again."""
    rows = 0
    for at, split in enumerate(splits()):
        with open(f"{path}-{at}", "wb") as file:
            writer = None
            for batch in each_batch(split):
                writer = writer or pa.ipc.new_stream(file, batch.schema)
                writer.write_batch(batch)
                rows += batch.num_rows
            writer.close()
            os.fsync(file.fileno())
    return rows


def plain(value):
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.isoformat() if isinstance(value, (datetime.date, datetime.datetime)) else str(value)


def ndjson():
    rows = 0
    for at, split in enumerate(splits()):
        with open(f"{path}-{at}", "w") as file:
            for batch in each_batch(split):
                for row in batch.to_pylist():
                    file.write(json.dumps(row, default=plain, ensure_ascii=False) + "\n")
                rows += batch.num_rows
            file.flush()
            os.fsync(file.fileno())
    return rows


def write():
    """A file of an Arrow stream into the table."""
    session = client.create_write_session(flags={"overwrite": "true"})
    client.create_write_stream(session.session_id, "s1", 1)
    writer = client.write_rows_arrow(session.session_id, "s1", 1)
    rows = 0
    with open(path, "rb") as file:
        for batch in pa.ipc.open_stream(file):
            writer.write(batch)
            rows += batch.num_rows
    writer.finish()
    client.close_write_stream(session.session_id, "s1", 1)
    client.commit_write_session(session.session_id, ["s1"], [1])
    return rows


began, cpu = time.perf_counter(), time.process_time()
count = dict(copy=copy, hashed=hashed, arrow=arrow, ndjson=ndjson, write=write)[what]()
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
print(json.dumps({"seconds": seconds, "cpuSeconds": cpu, "rows": count}))
