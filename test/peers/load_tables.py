"""Turns tables into what the vendor's client would load into a database, with its own code but without a database.

Reads a JSON array of {namespace, table, schema, tsv} from standard input, and writes an array of the numbers of rows read.
"""

import datetime
import json
import sys

import tsv.helper
from dap.replicator.sql_op import (
    SqlOp,
    _TabularLabelMapping,
    create_table_dataclass,
    get_module_for_namespace,
)

counts = []
for item in json.load(sys.stdin):
    entity = create_table_dataclass(item["table"], get_module_for_namespace(item["namespace"]), item["schema"])
    types = SqlOp.get_tabular_mapping(entity, _TabularLabelMapping({}, {})).labels_to_types
    types["meta.ts"] = datetime.datetime
    header, *lines = item["tsv"].removesuffix("\n").split("\n")
    parser = tsv.helper.Parser(tuple(types[name] for name in header.split("\t")))
    counts.append(sum(1 for line in lines if parser.parse_line(line.encode())))
print(json.dumps(counts))
