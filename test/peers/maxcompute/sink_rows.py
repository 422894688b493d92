"""Reads the only table there is by either generation of the client; gives its rows as text."""
from common import drain, main, rows_of
from odps.apis.storage_api_v2 import Compression, StorageApiArrowClient
from odps.maxstorage import MaxStorageClient


def read(o, _name):
    (table,) = o.list_tables()
    client = StorageApiArrowClient(o, table)
    session = client.create_read_session()
    splits = range(session.splits_count)
    got = [b for i in splits for b in drain(client.read_rows_arrow(session.session_id, split_index=i, compression=Compression.ZSTD))]
    newer = MaxStorageClient(o).create_table_read_session(table.name)
    also = [b for split in newer.splits for b in drain(newer.open_arrow_reader(split))]
    text = lambda batches: [{name: str(value) for name, value in row.items()} for row in rows_of(batches)]
    return {"v2": text(got), "newer": text(also)}


if __name__ == "__main__":
    main({"read": read})
