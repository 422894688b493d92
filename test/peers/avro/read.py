"""Avro files as fastavro reads them: read.py stored|meant FILE… prints a line of JSON for each, the list of its records. `stored` are
the values as they are in the file, `meant` what their logical types make of them."""
import datetime
import decimal
import json
import math
import struct
import sys

import fastavro

what, paths = sys.argv[1], sys.argv[2:]
if what == "stored":
    fastavro.read.LOGICAL_READERS.clear()


def seconds(value):
    """Without zeros at the end of the fraction."""
    text = value.replace(tzinfo=None).isoformat()
    return text.rstrip("0") if "." in text else text


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"double": "nan" if math.isnan(value) else struct.pack(">d", value).hex()}
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        return seconds(value) + ("Z" if value.tzinfo else "")
    if isinstance(value, datetime.time):
        return seconds(value)
    return str(value)


for path in paths:
    with open(path, "rb") as file:
        print(json.dumps([plain(record) for record in fastavro.reader(file)]))
