"""What programs of the vendor's client ask beside the Storage API: tables, partitions, jobs, and the older upload of rows."""
import decimal
import datetime

import pyarrow as pa
from common import COLUMNS, all_types, connect, control, drain, expected_rows, main, make, numbers, raises, rows_of, same, setting
from odps import errors
from odps.maxstorage import MaxStorageClient


def rows(o, name):
    client = MaxStorageClient(o)
    session = client.create_table_read_session(name)
    return rows_of([batch for split in session.splits for batch in drain(session.open_arrow_reader(split))])


def tables(o, name):
    hints = {"odps.sql.type.system.odps2": "true"}
    table = o.create_table(
        name,
        ("id BIGINT NOT NULL, d DECIMAL(10,2), s STRUCT<a:STRING>", "pt STRING, hh BIGINT"),
        comment="it's a table",
        lifecycle=7,
        table_properties={"key": "a 'quoted' value"},
        hints=hints,
        if_not_exists=True,
    )
    assert o.exist_table(name) and not o.exist_table(name + "_not")
    table = o.get_table(name)
    table.reload()
    types = [(c.name, str(c.type).lower().replace("`", "")) for c in table.table_schema.simple_columns]
    assert types == [("id", "bigint"), ("d", "decimal(10,2)"), ("s", "struct<a:string>")], types
    assert [c.name for c in table.table_schema.partitions] == ["pt", "hh"]
    assert not table.table_schema["id"].nullable and table.table_schema["d"].nullable
    assert (table.comment, table.lifecycle, table.table_properties["key"]) == ("it's a table", 7, "a 'quoted' value")
    assert abs(table.creation_time - datetime.datetime.now()).total_seconds() < 86400
    assert name in [t.name for t in o.list_tables()]
    for hour in range(3):
        table.create_partition(f"pt=a,hh={hour}", if_not_exists=True)
    table.create_partition("pt=a,hh=1", if_not_exists=True)
    assert len(list(table.partitions)) == 3 and table.exist_partition("pt=a,hh=2")
    assert table.get_partition("pt=a,hh=0").record_num == 0
    table.delete_partition("pt=a,hh=0")
    assert not table.exist_partition("pt=a,hh=0")
    table.truncate()
    table.drop()
    assert not o.exist_table(name)
    with raises(errors.NoSuchTable):
        o.get_table(name).reload()
    o.delete_table(name, if_exists=True)
    with raises(errors.ODPSError):
        o.execute_sql("SELECT nothing FROM nowhere")


def modified(o, name):
    """Of the partition and of the table, asked anew."""
    table = o.get_table(name)
    table.reload()
    partition = table.get_partition("pt=1")
    partition.reload()
    return partition.last_data_modified_time, table.last_data_modified_time


def changes(o, name):
    """What tells that a table has changed."""
    table = make(o, name, "id BIGINT, name STRING", "PARTITIONED BY (pt STRING)")
    table.create_partition("pt=1")
    before = modified(o, name)
    control("POST", "advance", {"milliseconds": 5000})
    session = MaxStorageClient(o).create_table_write_session(table, partition_spec="pt=1")
    writer = session.open_arrow_writer("s1")
    writer.write_batch(numbers(0, 5))
    writer.close()
    session.commit()
    after = modified(o, name)
    assert after[0] > before[0] and after[1] > before[1], (before, after)


def schemas(o, name):
    setting(schemas=True)
    o = connect()
    o.execute_sql(f"CREATE TABLE {o.project}.eu.{name} (id BIGINT, name STRING)")
    assert o.exist_table(name, schema="eu") and not o.exist_table(name)
    table = o.get_table(name, schema="eu")
    assert [c.name for c in table.table_schema.columns] == ["id", "name"]
    with table.open_writer() as writer:
        writer.write([[1, "a"]])
    assert rows(o, table) == [{"id": 1, "name": "a"}]
    setting(schemas=False)


def uploads(o, name):
    """Records of every type that has a form of its own in the older upload."""
    ddl = "a BIGINT, b DOUBLE, c STRING, d BOOLEAN, e DATETIME, f DECIMAL(10,2), g DATE, h BINARY, i FLOAT, j INT, "
    ddl += "k ARRAY<STRING>, l MAP<STRING,BIGINT>, m STRUCT<x:INT,y:STRING>, n TIMESTAMP, o VARCHAR(9)"
    table = make(o, name, ddl)
    moment = datetime.datetime(2025, 11, 20, 8, 0, 0, 123000)
    full = [2**40, 1.5, "杭州", True, moment, decimal.Decimal("12.34"), datetime.date(1969, 12, 31), b"\x00\xff", -0.25, -7]
    full += [["p", None], {"k": 1, "l": None}, {"x": 1, "y": None}, None, "vv"]
    with table.open_writer() as writer:
        writer.write([full, [None] * 15])
    with table.open_writer(compress_algo="zlib", compress_option=None) as writer:
        writer.write([full])
    first, empty, again = rows(o, name)
    assert first == again and set(empty.values()) == {None}
    wanted = dict(zip("abcdefghijklmno", full))
    wanted.update(e=1763625600123, l=[("k", 1), ("l", None)])
    assert first == wanted, first
    with table.open_writer(overwrite=True) as writer:
        writer.write([[i] + [None] * 14 for i in range(10000)])
    assert [row["a"] for row in rows(o, name)] == list(range(10000))


def arrow_uploads(o, name):
    table, batch = all_types(name, o)
    with table.open_writer(arrow=True) as writer:
        writer.write(batch)
    same(rows(o, name), expected_rows(batch, intervals_as_timestamps=True))
    plain = make(o, name + "_plain", "id BIGINT, name STRING", "PARTITIONED BY (pt STRING)")
    with plain.open_writer(partition="pt=1", create_partition=True, arrow=True) as writer:
        for start in range(0, 50000, 5000):
            writer.write(numbers(start, start + 5000))
    assert [row["id"] for row in rows(o, name + "_plain")] == list(range(50000))
    with raises(errors.NoSuchPartition):
        plain.open_writer(partition="pt=2")


def queries(o, name):
    table = make(o, name, "id BIGINT, name STRING")
    with table.open_writer() as writer:
        writer.write([[i, f"n {i}"] for i in range(10)])
    query = o.execute_sql(f"SELECT id, name FROM {name} LIMIT 3")
    assert query.is_successful()
    with query.open_reader(tunnel=False) as reader:
        assert [(int(record[0]), record[1]) for record in reader] == [(0, "n 0"), (1, "n 1"), (2, "n 2")]
    assert o.exist_instance(query.id)


if __name__ == "__main__":
    main({k: v for k, v in globals().items() if callable(v) and getattr(v, "__module__", "") == "__main__"})
