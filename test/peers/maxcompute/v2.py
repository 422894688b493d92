"""odps.apis.storage_api_v2, the client of the first generation."""
import pyarrow as pa
from common import all_types, control, drain, expected_rows, fault, main, make, numbers, raises, rows_of, same, setting
from odps import errors
from odps.apis.storage_api_v2 import (
    ArrowOptions,
    BlobWriteItem,
    ChecksumType,
    Compression,
    SplitOptions,
    StorageApiArrowClient,
)

Mode = SplitOptions.SplitMode
CODECS = [Compression.UNCOMPRESSED, Compression.ZSTD, Compression.LZ4_FRAME]


def split_by(mode, number, cross_partition=True):
    return SplitOptions(split_mode=mode, split_number=number, cross_partition=cross_partition)


def write(client, batches, spec=None, flags=None, codec=Compression.UNCOMPRESSED, commit=True):
    session = client.create_write_session(partial_partition_spec=spec, flags=flags)
    client.create_write_stream(session.session_id, "s1", 1)
    count = sum(batch.num_rows for batch in batches)
    writer = client.write_rows_arrow(session.session_id, "s1", 1, record_count=count, compression=codec)
    for batch in batches:
        assert writer.write(batch)
    _, is_ok = writer.finish()
    assert is_ok
    client.close_write_stream(session.session_id, "s1", 1)
    if commit:
        client.commit_write_session(session.session_id, ["s1"], [1])
    return session.session_id


def read(client, **options):
    session = client.create_read_session(**options)
    batches = []
    for index in range(session.splits_count):
        batches.extend(drain(client.read_rows_arrow(session.session_id, split_index=index)))
    return batches


def every_type(o, name):
    table, batch = all_types(name, o)
    client = StorageApiArrowClient(o, table)
    for codec in CODECS:
        write(client, [batch], codec=codec, flags={"overwrite": "true"})
        session = client.create_read_session()
        for back in CODECS:
            got = drain(client.read_rows_arrow(session.session_id, split_index=0, compression=back))
            same(rows_of(got), expected_rows(batch))


def units(o, name):
    table, batch = all_types(name, o)
    client = StorageApiArrowClient(o, table)
    write(client, [batch])
    for unit in ("second", "milli", "micro", "nano"):
        options = ArrowOptions(timestamp_unit=unit, date_time_unit=unit)
        got = read(client, arrow_options=options, required_data_columns=["c_timestamp", "c_datetime"])
        short = {"second": "s", "milli": "ms", "micro": "us", "nano": "ns"}[unit]
        assert got[0].schema.types == [pa.timestamp(short)] * 2, got[0].schema


def splits(o, name):
    table = make(o, name, "id BIGINT, name STRING", "PARTITIONED BY (pt STRING)")
    client = StorageApiArrowClient(o, table)
    write(client, [numbers(0, 3000), numbers(3000, 9000)], spec="pt=a")
    write(client, [numbers(9000, 10000)], spec="pt=b")
    ids = list(range(10000))
    seen = {}
    for mode, number, cross in [
        (Mode.SIZE, 256 << 20, True),
        (Mode.SIZE, 256 << 20, False),
        (Mode.SIZE, 20000, True),
        (Mode.PARALLELISM, 1, True),
        (Mode.PARALLELISM, 7, True),
        (Mode.PARALLELISM, 7, False),
    ]:
        session = client.create_read_session(split_options=split_by(mode, number, cross))
        assert session.split_mode == mode.value and session.record_count == 10000
        got = []
        for index in range(session.splits_count):
            got += [row["id"] for row in rows_of(drain(client.read_rows_arrow(session.session_id, split_index=index)))]
        assert got == ids, (mode, number, cross)
        seen[f"{mode.value} {number} {cross}"] = session.splits_count
        with raises(errors.InvalidArgument):
            drain(client.read_rows_arrow(session.session_id, split_index=session.splits_count))
    session = client.create_read_session(split_options=split_by(Mode.ROW_OFFSET, 999))
    got = []
    for offset in range(0, session.record_count, 999):
        count = min(999, session.record_count - offset)
        rows = rows_of(drain(client.read_rows_arrow(session.session_id, row_offset=offset, row_count=count)))
        assert len(rows) == count
        got += [row["id"] for row in rows]
    assert got == ids
    some = drain(client.read_rows_arrow(session.session_id, row_offset=10, skip_row_num=5, row_count=100, max_batch_rows=30))
    assert [batch.num_rows for batch in some] == [30, 30, 30, 5]
    assert rows_of(some)[0]["id"] == 15
    return seen


def buckets(o, name):
    table = make(o, name, "id BIGINT, name STRING", "CLUSTERED BY (id) INTO 4 BUCKETS")
    client = StorageApiArrowClient(o, table)
    write(client, [numbers(0, 1000)])
    session = client.create_read_session(split_options=split_by(Mode.BUCKET, 1))
    assert session.split_bucket_id == [0, 1, 2, 3]
    got = [rows_of(drain(client.read_rows_arrow(session.session_id, split_index=i))) for i in range(4)]
    assert sorted(row["id"] for rows in got for row in rows) == list(range(1000))
    assert all(len(rows) > 100 for rows in got)
    one = read(client, required_bucket_ids=["2"], split_options=split_by(Mode.BUCKET, 1))
    assert rows_of(one) == got[2]


def selection(o, name):
    table = make(o, name, "id BIGINT, name STRING", "PARTITIONED BY (pt STRING, hh BIGINT)")
    client = StorageApiArrowClient(o, table)
    for hour in range(3):
        write(client, [numbers(hour * 10, hour * 10 + 10)], spec=f"pt=a,hh={hour}")
    rows = rows_of(read(client, required_partitions=["pt=a,hh=1"], required_partition_columns=["hh", "pt"], required_data_columns=["name"]))
    assert rows[0] == {"name": "n10", "hh": 1, "pt": "a"} and len(rows) == 10
    rows = rows_of(read(client, filter_predicate="id >= 5 AND (name IN ('n6', 'n25') OR `hh` = 2 AND NOT id < 28)"))
    assert [row["id"] for row in rows] == [6, 25, 28, 29]
    with raises(errors.InvalidArgument):
        client.create_read_session(filter_predicate="upper(name) = 'N1'")
    preview = rows_of(drain(client.preview_table_arrow(limit=15)))
    assert [row["id"] for row in preview] == list(range(15))
    preview = rows_of(drain(client.preview_table_arrow(partition="pt=a,hh=2", columns=["id"], limit=2)))
    assert preview == [{"id": 20}, {"id": 21}]


def dynamic(o, name):
    table = make(o, name, "id BIGINT, name STRING", "PARTITIONED BY (pt STRING, hh BIGINT)")
    client = StorageApiArrowClient(o, table)
    hours = pa.array([i % 3 for i in range(30)], pa.int64())
    write(client, [numbers(0, 30).append_column("hh", hours)], spec="pt=a")
    assert [str(p.partition_spec) for p in table.partitions] == ["pt='a',hh='0'", "pt='a',hh='1'", "pt='a',hh='2'"]
    rows = rows_of(read(client, required_partitions=["pt='a',hh='2'"]))
    assert [row["id"] for row in rows] == list(range(2, 30, 3))


def sessions(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    client = StorageApiArrowClient(o, table)
    write(client, [numbers(0, 10)])
    setting(initPolls=2)
    session = client.create_read_session()
    setting(initPolls=0)
    seen = [session.session_status.value]
    for _ in range(3):
        seen.append(client.get_read_session(session.session_id).session_status.value)
    assert seen == ["INIT", "INIT", "INIT", "NORMAL"] or seen == ["INIT", "INIT", "NORMAL", "NORMAL"], seen
    control("POST", "advance", {"milliseconds": 25 * 3600 * 1000})
    assert client.get_read_session(session.session_id).session_status.value == "EXPIRED"
    with raises(errors.ODPSError):
        drain(client.read_rows_arrow(session.session_id, split_index=0))
    assert client.get_read_session(session.session_id, refresh=True).session_status.value == "NORMAL"
    assert len(rows_of(drain(client.read_rows_arrow(session.session_id, split_index=0)))) == 10


def snapshots(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    client = StorageApiArrowClient(o, table)
    write(client, [numbers(0, 10)])
    session = client.create_read_session()
    write(client, [numbers(90, 95)], flags={"overwrite": "true"})
    assert len(rows_of(drain(client.read_rows_arrow(session.session_id, split_index=0)))) == 10
    assert [row["id"] for row in rows_of(read(client))] == [90, 91, 92, 93, 94]


def commits(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    client = StorageApiArrowClient(o, table)
    aborted = write(client, [numbers(0, 5)], commit=False)
    assert client.get_write_session(aborted).streams == {"s1": 1}
    client.abort_write_session(aborted)
    client.abort_write_session(aborted)
    with raises(errors.ODPSError):
        client.commit_write_session(aborted)
    assert read(client) == []
    session = client.create_write_session().session_id
    for stream in ("a", "b"):
        client.create_write_stream(session, stream, 1)
        writer = client.write_rows_arrow(session, stream, 1, record_count=5)
        writer.write(numbers(0, 5))
        writer.finish()
    with raises(errors.ODPSError):
        client.commit_write_session(session)
    # A higher version begins anew, a lower one is refused.
    client.create_write_stream(session, "a", 2)
    with raises(errors.ODPSError):
        client.create_write_stream(session, "a", 1)
    writer = client.write_rows_arrow(session, "a", 2, record_count=2)
    writer.write(numbers(50, 52))
    writer.finish()
    stream = client.get_write_stream(session, "a", 2)
    assert (stream.status, stream.record_count) == ("OPEN", 2), stream.status
    for stream, version in (("a", 2), ("b", 1)):
        client.close_write_stream(session, stream, version)
    client.commit_write_session(session, ["a", "b"], [2, 1])
    client.commit_write_session(session, ["a", "b"], [2, 1])
    assert sorted(row["id"] for row in rows_of(read(client))) == [0, 1, 2, 3, 4, 50, 51]


def refusals(o, name):
    table = make(o, name, "id BIGINT, name STRING NOT NULL")
    client = StorageApiArrowClient(o, table)
    session = client.create_write_session().session_id
    client.create_write_stream(session, "s1", 1)

    def attempt(batch, count=0):
        writer = client.write_rows_arrow(session, "s1", 1, record_count=count)
        with raises(errors.InvalidArgument):
            writer.write(batch)
            writer.finish()

    attempt(pa.RecordBatch.from_arrays([pa.array([1])], names=["id"]))
    attempt(pa.RecordBatch.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["id", "name"]))
    attempt(pa.RecordBatch.from_arrays([pa.array([1]), pa.array([None], pa.string())], names=["id", "name"]))
    attempt(pa.RecordBatch.from_arrays([pa.array([1]), pa.array(["y"]), pa.array([1])], names=["id", "name", "more"]))
    attempt(numbers(0, 3), count=4)
    assert client.get_write_stream(session, "s1", 1).record_count == 0
    with raises(errors.NoSuchTable):
        StorageApiArrowClient(o, o.get_table("nothing_here")).create_read_session()
    fault("TableWrite", "slot-exceeded", table=name)
    writer = client.write_rows_arrow(session, "s1", 1)
    with raises(errors.RequestQuotaExceeded):
        writer.write(numbers(0, 1))
        writer.finish()


def instance(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    write(StorageApiArrowClient(o, table), [numbers(0, 5000)])
    query = o.execute_sql(f"SELECT name, id FROM {name} LIMIT 4500")
    client = StorageApiArrowClient(o, query)
    session = client.create_read_session()
    assert (session.session_status.value, session.record_count) == ("NORMAL", 4500)
    rows = rows_of(drain(client.read_rows_arrow(session.session_id, row_offset=4490, row_count=100)))
    assert [row["id"] for row in rows] == list(range(4490, 4500)) and list(rows[0]) == ["name", "id"]
    assert client.get_read_session(session.session_id).record_count == 4500


def blobs(o, name):
    table = make(o, name, "id BIGINT, b BLOB", "TBLPROPERTIES ('table.format.version'='2', 'transactional'='true')")
    client = StorageApiArrowClient(o, table)
    session = client.create_write_session().session_id
    client.create_write_stream(session, "s1", 1)
    contents = [b"hello", b"x" * 4096, b"y" * 100_000, b""]
    references = []
    for content, codec in zip(contents, [*CODECS, Compression.ZSTD]):
        writer = client.write_blob_stream(session, "s1", 1, column_index=2, compression=codec)
        writer.write(content)
        references.append(writer.finish().blob_reference)
    kinds = [ChecksumType.NONE, ChecksumType.CRC32, ChecksumType.MD5]
    items = [BlobWriteItem(b"item %d" % i, column_index=2, mime_type="text/plain", checksum_type=kind) for i, kind in enumerate(kinds)]
    references += client.write_blob_batch(items, session, "s1", 1).blob_references
    contents += [b"item 0", b"item 1", b"item 2"]
    import base64

    raw = [base64.b64decode(reference) for reference in references]
    batch = pa.RecordBatch.from_arrays([pa.array(range(7), pa.int64()), pa.array(raw, pa.binary())], names=["id", "b"])
    writer = client.write_rows_arrow(session, "s1", 1, record_count=7)
    writer.write(batch)
    writer.finish()
    client.close_write_stream(session, "s1", 1)
    client.commit_write_session(session, ["s1"], [1])
    with raises(errors.InvalidArgument):
        client.create_read_session(split_options=split_by(Mode.SIZE, 1 << 20))
    read_session = client.create_read_session(split_options=split_by(Mode.ROW_OFFSET, 100))
    rows = rows_of(drain(client.read_rows_arrow(read_session.session_id, row_offset=0, row_count=7)))
    given = [row["b"] for row in rows]
    assert not set(given) & set(raw)
    records = list(client.read_blobs(given))
    assert [record.data for record in records] == contents, [len(record.data) for record in records]
    assert [record.mime_type for record in records][4:] == ["text/plain"] * 3
    assert list(client.read_blobs([given[2]]))[0].data == contents[2]
    with raises(errors.NoSuchObject):
        list(client.read_blobs([raw[0]]))


if __name__ == "__main__":
    main({k: v for k, v in globals().items() if callable(v) and getattr(v, "__module__", "") == "__main__"})
