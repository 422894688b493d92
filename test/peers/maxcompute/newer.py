"""odps.maxstorage, the client of the second generation, over versions 2 and 3 of the API."""
import pyarrow as pa
from common import SERVER, all_types, control, drain, expected_rows, fault, main, make, numbers, raises, rows_of, same, setting
from odps import ODPS, errors
from odps.maxstorage import BlobDownloadError, MaxStorageClient, MaxStorageError, SplitMode, SplitOptions, WriteMode

ANY = (errors.ODPSError, MaxStorageError)


def write(client, table, batches, stream="s1", commit=True, codec=None, exactly_once=False, **session_options):
    session = client.create_table_write_session(table, **session_options)
    writer = session.open_arrow_writer(stream, compress_algo=codec, exactly_once_mode=exactly_once)
    for batch in batches:
        writer.write_batch(batch)
    writer.close()
    if commit:
        session.commit()
    return session


def read(client, table, codec=None, **options):
    session = client.create_table_read_session(table, **options)
    return [batch for split in session.splits for batch in drain(session.open_arrow_reader(split, compress_algo=codec))]


def every_type(o, name):
    table, batch = all_types(name, o)
    for version in ("2", "3"):
        client = MaxStorageClient(o, api_version=version)
        for codec in (None, "zstd", "lz4"):
            write(client, table, [batch], codec=codec, overwrite=True)
            same(rows_of(read(client, table)), expected_rows(batch, intervals_as_timestamps=True))
    setting(readCompression="body")
    for codec in ("zstd", "lz4"):
        same(rows_of(read(client, table, codec=codec)), expected_rows(batch, intervals_as_timestamps=True))
    setting(readCompression="buffers")
    setting(largeStrings=True)
    session = client.create_table_read_session(table)
    setting(largeStrings=False)
    batches = [b for split in session.splits for b in drain(session.open_arrow_reader(split))]
    assert batches[0].schema.field("c_string").type == pa.large_string()
    same(rows_of(batches), expected_rows(batch, intervals_as_timestamps=True))


def splits(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    client = MaxStorageClient(o)
    write(client, table, [numbers(0, 9000), numbers(9000, 10000)])
    ids = list(range(10000))
    for options in (SplitOptions(split_mode=SplitMode.SIZE, split_number=20000), SplitOptions(split_mode=SplitMode.ROW_OFFSET, split_number=999)):
        session = client.create_table_read_session(table, split_options=options)
        assert len(session.splits) > 3 and session.record_count == 10000
        assert [row["id"] for row in rows_of(read(client, table, split_options=options))] == ids
    again = client.create_table_read_session(table, session_id=session.id)
    assert again.record_count == 10000


def exactly_once(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    client = MaxStorageClient(o)
    session = client.create_table_write_session(table)
    writer = session.open_arrow_writer("s1", exactly_once_mode=True)
    writer.write_batch(numbers(0, 10))
    writer.flush()
    assert writer.get_row_offset() == 10
    # The rows arrive, their answer does not: asking tells that they are there.
    fault("TableWrite", "error-after", table=name)
    writer.write_batch(numbers(10, 20))
    with raises(*ANY):
        writer.flush()
    resumed = session.open_arrow_writer("s1", exactly_once_mode=True, resume=True)
    assert resumed.get_row_offset() == 20
    # They do not arrive, and neither does an answer.
    fault("TableWrite", "reset-before", table=name)
    resumed.write_batch(numbers(20, 30))
    with raises(Exception):
        resumed.flush()
    last = session.open_arrow_writer("s1", exactly_once_mode=True, resume=True)
    assert last.get_row_offset() == 20
    last.write_batch(numbers(20, 30))
    last.close()
    session.commit()
    assert [row["id"] for row in rows_of(read(client, table))] == list(range(30))


def replays(o, name):
    """What one writer has sent, another sends again, at its offset."""
    table = make(o, name, "id BIGINT, name STRING")
    client = MaxStorageClient(o)
    session = client.create_table_write_session(table)
    writer = session.open_arrow_writer("s1", exactly_once_mode=True)
    writer.write_batch(numbers(0, 10))
    writer.flush()
    again = session.open_arrow_writer("s1", exactly_once_mode=True, resume=True)
    again.set_row_offset(0)
    again.write_batch(numbers(0, 10))
    again.flush()
    assert again.get_row_offset() == 10
    # The older writer's token is not the newest any more.
    writer.write_batch(numbers(10, 20))
    with raises(*ANY):
        writer.flush()
    for offset, rows in ((0, numbers(5, 15)), (11, numbers(0, 1))):
        other = session.open_arrow_writer("s1", exactly_once_mode=True, resume=True)
        other.set_row_offset(offset)
        other.write_batch(rows)
        with raises(*ANY):
            other.flush()
    final = session.open_arrow_writer("s1", exactly_once_mode=True, resume=True)
    final.close()
    session.commit()
    assert [row["id"] for row in rows_of(read(client, table))] == list(range(10))


def commits(o, name):
    table = make(o, name, "id BIGINT, name STRING", "PARTITIONED BY (pt STRING)")
    client = MaxStorageClient(o, api_version="3")
    session = write(client, table, [numbers(0, 5)], partition_spec="pt=1", commit=False)
    session.abort()
    write(client, table, [numbers(0, 5)], partition_spec="pt=1")
    write(client, table, [numbers(5, 9)], partition_spec="pt=1")
    write(client, table, [numbers(70, 75)], partition_spec="pt=2")
    assert len(rows_of(read(client, table))) == 14
    write(client, table, [numbers(20, 22)], partition_spec="pt=1", overwrite=True)
    assert [row["id"] for row in rows_of(read(client, table))] == [20, 21, *range(70, 75)]
    assert len(rows_of(read(client, table, partitions=["pt=2"]))) == 5


def streaming(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    client = MaxStorageClient(o, api_version="3")
    session = client.create_table_write_session(table, write_mode=WriteMode.STREAMING)
    writer = session.open_arrow_writer("s1")
    writer.write_batch(numbers(0, 5))
    writer.flush()
    assert [row["id"] for row in rows_of(read(client, table))] == list(range(5))
    assert writer.get_last_staging_id() is not None


def versions(o, name):
    table = make(o, name, "id BIGINT, name STRING", "TBLPROPERTIES ('transactional'='true')")
    client = MaxStorageClient(o)
    rows = SplitOptions(split_mode=SplitMode.ROW_OFFSET, split_number=100)
    write(client, table, [numbers(0, 5)])
    before = client.create_table_read_session(table, split_options=rows).latest_version
    write(client, table, [numbers(5, 9)])
    assert client.create_table_read_session(table, split_options=rows).latest_version == before + 1
    from odps.maxstorage import IncrementalReadOptions

    since = IncrementalReadOptions(version="append", from_=before, to=before + 1)
    got = read(client, table, split_options=rows, incremental_read_enabled=True, incremental_read_options=since)
    assert [row["id"] for row in rows_of(got)] == [5, 6, 7, 8]


def instance(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    client = MaxStorageClient(o)
    write(client, table, [numbers(0, 5000)])
    session = client.create_instance_read_session(o.execute_sql(f"SELECT * FROM {name} WHERE id >= 10 LIMIT 100"))
    assert session.record_count == 100
    rows = rows_of(drain(session.open_arrow_reader(offset=90, count=100)))
    assert [row["id"] for row in rows] == list(range(100, 110))
    with raises(*ANY):
        client.create_instance_read_session(o.execute_sql(f"ALTER TABLE {name} ADD COLUMNS (more STRING)"))


def blobs(o, name):
    table = make(o, name, "id BIGINT, b BLOB, n ARRAY<BLOB>", "TBLPROPERTIES ('table.format.version'='2', 'transactional'='true')")
    client = MaxStorageClient(o, api_version="3")
    session = client.create_table_write_session(table)
    writer = session.open_arrow_writer("s1")
    contents = [b"hello", bytes(range(256)) * 1000, b"third"]
    references = []
    for content, codec in zip(contents, (None, "zstd", "lz4")):
        upload = writer.write_blob_stream(column_name="b", compress_algo=codec)
        upload.write(content)
        references.append(upload.finish().blob_reference)
    items = [writer.build_blob_write_item(b"i%d" % i, column_name="b", mime_type="text/x", custom_file_name="f%d" % i) for i in range(2)]
    for codec in (None, "zstd"):
        references += writer.write_blob_batch(items, compress_algo=codec).blob_references
    contents += [b"i0", b"i1"] * 2
    count = len(references)
    batch = pa.RecordBatch.from_arrays(
        [pa.array(range(count), pa.int64()), pa.array(references, pa.binary()), pa.array([None] * count, pa.list_(pa.binary()))],
        names=["id", "b", "n"],
    )
    writer.write_batch(batch)
    writer.close()
    session.commit()
    rows = SplitOptions(split_mode=SplitMode.ROW_OFFSET, split_number=100)
    given = [row["b"] for row in rows_of(read(client, table, split_options=rows))]
    assert not set(given) & set(references)
    manager = client.open_blob_manager(table)
    for codec in (None, "zstd", "lz4"):
        records = list(manager.read_blobs(given, compress_algo=codec))
        assert [record.data for record in records] == contents, codec
        assert [record.custom_file_name for record in records][3:] == ["f0", "f1"] * 2
        assert manager.read_blob(given[1], compress_algo=codec).read() == contents[1], codec
    fault("BlobRead", "corrupt-body", afterBytes=2)
    with raises(Exception):
        manager.read_blob(given[1]).read()
    with raises(*ANY):
        list(manager.read_blobs([references[0]]))


def nested_blobs(o, name):
    """Contents in rows, which the writer uploads and puts references in the place of."""
    table = make(o, name, "id BIGINT, b BLOB, n ARRAY<BLOB>", "TBLPROPERTIES ('table.format.version'='2', 'transactional'='true')")
    client = MaxStorageClient(o, api_version="3")
    session = client.create_table_write_session(table)
    writer = session.open_arrow_writer("s1", auto_upload_blobs=True)
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1, 2]), pa.array([b"one", None], pa.binary()), pa.array([[b"a", b"bb"], None], pa.list_(pa.binary()))],
        names=["id", "b", "n"],
    )
    writer.write_batch(batch)
    writer.close()
    session.commit()
    rows = rows_of(read(client, table, split_options=SplitOptions(split_mode=SplitMode.ROW_OFFSET, split_number=100)))
    manager = client.open_blob_manager(table)
    references = [rows[0]["b"], *rows[0]["n"]]
    assert [record.data for record in manager.read_blobs(references)] == [b"one", b"a", b"bb"]
    assert rows[1]["b"] is None and rows[1]["n"] is None


def signatures(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    write(MaxStorageClient(o), table, [numbers(0, 3)])
    v4 = ODPS(SERVER["accessId"], SERVER["accessKey"], SERVER["project"], endpoint=SERVER["url"] + "/api", region_name="cn-hangzhou")
    assert len(rows_of(read(MaxStorageClient(v4), name))) == 3
    from odps.accounts import BearerTokenAccount

    token = control("POST", "bearer-token", {})["token"]
    bearer = ODPS(account=BearerTokenAccount(token), project=SERVER["project"], endpoint=SERVER["url"] + "/api")
    assert len(rows_of(read(MaxStorageClient(bearer), name))) == 3
    for scheme in ({}, {"region_name": "cn-hangzhou"}):
        wrong = ODPS(SERVER["accessId"], "wrong", SERVER["project"], endpoint=SERVER["url"] + "/api", **scheme)
        with raises(*ANY):
            read(MaxStorageClient(wrong), name)


def faults(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    client = MaxStorageClient(o)
    write(client, table, [numbers(0, 5000)])
    for kind, more in (("cut-connection", {"afterBytes": 5000}), ("truncated-body", {"afterBytes": 5000}), ("empty-body", {}), ("bad-gateway", {}), ("unavailable", {})):
        fault("TableRead", kind, table=name, **more)
        with raises(Exception):
            read(client, table)
    control("DELETE", "faults")
    for kind, more, rows in (("fewer-rows", {"afterRows": 7}, 7), ("duplicate-rows", {"afterRows": 7}, 5007)):
        fault("TableRead", kind, table=name, **more)
        assert len(rows_of(read(client, table))) == rows


if __name__ == "__main__":
    main({k: v for k, v in globals().items() if callable(v) and getattr(v, "__module__", "") == "__main__"})
