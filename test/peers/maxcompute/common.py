"""What the scenarios share: the server that the environment names, and a table with every type a client can carry."""
import datetime
import decimal
import json
import os
import sys
import urllib.request

import pyarrow as pa
from odps import ODPS, options

SERVER = json.loads(os.environ["LANDFALL_SERVER"])
# Instants, and nothing else: no conversion to the zone of this machine.
options.local_timezone = False
options.retry_times = 0


def connect(**more):
    """The vendor's entry, whose REST endpoint has /api in front, as the service's has."""
    endpoint = SERVER["url"] + "/api"
    return ODPS(SERVER["accessId"], SERVER["accessKey"], SERVER["project"], endpoint=endpoint, **more)


def control(method, what, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SERVER["url"] + "/_control/" + what, data=data, method=method)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def setting(**values):
    control("POST", "settings", values)


def fault(action, name, **more):
    control("POST", "faults", {"faults": [{"action": action, "fault": name, **more}]})


def make(o, name, columns, *more):
    o.execute_sql(f"CREATE TABLE {name} ({columns}) {' '.join(more)}")
    return o.get_table(name)


def raises(*classes):
    """Something that must fail, and how."""

    class Raises:
        def __enter__(self):
            return self

        def __exit__(self, kind, error, _trace):
            assert kind is not None, f"nothing was raised, {classes} is expected"
            assert issubclass(kind, classes), f"{kind}: {error} was raised, {classes} is expected"
            self.error = error
            return True

    return Raises()


# Every type of the mapping that pyarrow can send, nulls and nesting included.
COLUMNS = {
    "c_tinyint": ("TINYINT", pa.int8(), [1, None, -128]),
    "c_smallint": ("SMALLINT", pa.int16(), [None, 32767, -32768]),
    "c_int": ("INT", pa.int32(), [2**31 - 1, None, -(2**31)]),
    "c_bigint": ("BIGINT", pa.int64(), [2**63 - 1, -(2**63) + 1, None]),
    "c_float": ("FLOAT", pa.float32(), [1.5, None, -0.25]),
    "c_double": ("DOUBLE", pa.float64(), [None, 1e300, -2.25]),
    "c_boolean": ("BOOLEAN", pa.bool_(), [True, None, False]),
    "c_string": ("STRING", pa.string(), ["杭州", "", None]),
    "c_char": ("CHAR(4)", pa.string(), ["abcd", None, "x"]),
    "c_varchar": ("VARCHAR(9)", pa.string(), [None, "vv", "é"]),
    "c_binary": ("BINARY", pa.binary(), [b"\x00\xff", None, b""]),
    "c_date": ("DATE", pa.date32(), [datetime.date(1969, 12, 31), None, datetime.date(2025, 11, 20)]),
    "c_datetime": ("DATETIME", pa.timestamp("ms"), [datetime.datetime(2025, 11, 20, 8, 0, 0, 123000), None, datetime.datetime(1960, 1, 1)]),
    "c_timestamp": ("TIMESTAMP", pa.timestamp("ns"), [1763625600123456789, None, -1]),
    "c_timestamp_ntz": ("TIMESTAMP_NTZ", pa.timestamp("ns"), [None, 1, 1763625600123456789]),
    "c_decimal": ("DECIMAL(10,2)", pa.decimal128(10, 2), [decimal.Decimal("12345678.90"), None, decimal.Decimal("-0.01")]),
    "c_decimal38": ("DECIMAL(38,18)", pa.decimal128(38, 18), [None, decimal.Decimal("-1.000000000000000001"), decimal.Decimal("1")]),
    "c_bare_decimal": ("DECIMAL", pa.decimal256(54, 18), [decimal.Decimal("0.5"), None, decimal.Decimal("-12345678901234567890.000000000000000001")]),
    "c_interval": ("INTERVAL_DAY_TIME", pa.struct([("sec", pa.int64()), ("nano", pa.int32())]), [{"sec": 86400, "nano": 5}, None, {"sec": -1, "nano": 0}]),
    "c_array": ("ARRAY<BIGINT>", pa.list_(pa.int64()), [[1, None, 3], None, []]),
    "c_map": ("MAP<STRING,BIGINT>", pa.map_(pa.string(), pa.int64()), [[("a", 1), ("b", None)], None, []]),
    "c_struct": ("STRUCT<a:BIGINT,b:STRING>", pa.struct([("a", pa.int64()), ("b", pa.string())]), [{"a": 1, "b": None}, None, {"a": None, "b": "y"}]),
    "c_nested": (
        "ARRAY<STRUCT<x:STRING,y:ARRAY<BIGINT>,z:MAP<STRING,DECIMAL(10,2)>>>",
        pa.list_(pa.struct([("x", pa.string()), ("y", pa.list_(pa.int64())), ("z", pa.map_(pa.string(), pa.decimal128(10, 2)))])),
        [
            [{"x": "p", "y": [1, None], "z": [("k", decimal.Decimal("1.50"))]}, None],
            None,
            [{"x": None, "y": None, "z": None}],
        ],
    ),
}


def all_types(name, o):
    """A table of these columns, and the rows for it."""
    ddl = ", ".join(f"{column} {kind}" for column, (kind, _, _) in COLUMNS.items())
    table = make(o, name, ddl)
    arrays = [pa.array(values, arrow) for _, arrow, values in COLUMNS.values()]
    return table, pa.RecordBatch.from_arrays(arrays, names=list(COLUMNS))


def expected_rows(batch, intervals_as_timestamps=False):
    """The rows as a reader should give them; one of the clients makes timestamps of intervals, 1970 of those that are null."""
    rows = rows_of([batch])
    for row in rows if intervals_as_timestamps else []:
        interval = row["c_interval"]
        row["c_interval"] = 0 if interval is None else interval["sec"] * 10**9 + interval["nano"]
    return rows


def same(rows, expected):
    """Says where two lists of rows differ."""
    assert len(rows) == len(expected), f"{len(rows)} rows, {len(expected)} are expected"
    for index, (row, wanted) in enumerate(zip(rows, expected)):
        for column in wanted:
            assert row[column] == wanted[column], f"row {index}, {column}: {row[column]!r}, expected {wanted[column]!r}"


def rows_of(batches):
    """Timestamps come as the number they are: Python's own have no nanoseconds."""
    rows = []
    for batch in batches:
        columns = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in batch.columns]
        rows += pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()
    return rows


def numbers(start, end):
    """Rows `id`, `name` of a plain table."""
    ids = list(range(start, end))
    return pa.RecordBatch.from_arrays([pa.array(ids, pa.int64()), pa.array([f"n{i}" for i in ids])], names=["id", "name"])


def drain(reader):
    batches = []
    while True:
        batch = reader.read()
        if batch is None:
            return batches
        batches.append(batch)


def main(scenarios):
    """Runs the scenario that is named first among the arguments, in a table of that name."""
    name = sys.argv[1]
    result = scenarios[name](connect(), name)
    print(json.dumps({"result": result}))
