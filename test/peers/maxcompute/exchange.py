"""One side of an exchange of rows: what this side writes, another client reads, and the reverse."""
import glob
import os

from common import COLUMNS, all_types, drain, expected_rows, main, make, rows_of, same
from odps.apis.storage_api_v2 import Compression, StorageApiArrowClient
from odps.maxstorage import MaxStorageClient
import pyarrow as pa


def sample():
    return pa.RecordBatch.from_arrays([pa.array(values, arrow) for _, arrow, values in COLUMNS.values()], names=list(COLUMNS))


def write(o, _name):
    """Two tables with every type: rows of either generation in one, nothing in the other."""
    table, batch = all_types("from_python", o)
    client = StorageApiArrowClient(o, table)
    session = client.create_write_session().session_id
    client.create_write_stream(session, "s1", 1)
    writer = client.write_rows_arrow(session, "s1", 1, record_count=3, compression=Compression.LZ4_FRAME)
    writer.write(batch)
    writer.finish()
    client.close_write_stream(session, "s1", 1)
    client.commit_write_session(session, ["s1"], [1])
    newer = MaxStorageClient(o).create_table_write_session(table)
    writer = newer.open_arrow_writer("s1", compress_algo="zstd")
    writer.write_batch(batch)
    writer.close()
    newer.commit()
    make(o, "from_ours", ", ".join(f"{column} {kind}" for column, (kind, _, _) in COLUMNS.items()))


def check(o, _name):
    """The other table has by now what was read of the first."""
    batch = sample()
    client = StorageApiArrowClient(o, o.get_table("from_ours"))
    session = client.create_read_session()
    for codec in Compression:
        got = [b for i in range(session.splits_count) for b in drain(client.read_rows_arrow(session.session_id, split_index=i, compression=codec))]
        same(rows_of(got), expected_rows(batch) * 2)
    newer = MaxStorageClient(o).create_table_read_session("from_ours")
    got = [b for split in newer.splits for b in drain(newer.open_arrow_reader(split))]
    # Of an interval that is null this client takes what is behind the null: zeros of some writers, nulls of others.
    rows = [{**row, "c_interval": row["c_interval"] or 0} for row in rows_of(got)]
    same(rows, expected_rows(batch, intervals_as_timestamps=True) * 2)


def landed(_o, _name):
    """What a pipeline landed of the first table are Arrow streams of the rows that were written, one a split."""
    batches = []
    for path in sorted(glob.glob(os.environ["LANDFALL_LANDED"] + "/*.arrows")):
        with pa.ipc.open_stream(path) as stream:
            batches += list(stream)
    same(rows_of(batches), expected_rows(sample()) * 2)


if __name__ == "__main__":
    main({"write": write, "check": check, "landed": landed})
