"""Reads parts of Parquet files with pandas, one task a line, and answers with a SHA-256 of each column: see columns.ts."""

import hashlib
import json
import sys

import numpy
import pandas
import pyarrow


def digest(values, kind):
    nulls = values.isna().to_numpy()
    sha = hashlib.sha256(nulls.astype(numpy.uint8).tobytes())
    if kind == "time":
        milliseconds = values.dt.as_unit("ms").astype("int64").to_numpy()
        sha.update(numpy.where(nulls, 0, milliseconds).astype("<f8").tobytes())
    elif kind == "number":
        sha.update(numpy.where(nulls, 0, values.to_numpy(dtype="float64", na_value=0)).astype("<f8").tobytes())
    else:
        sha.update("\0".join(values.fillna("").tolist()).encode())
    return sha.hexdigest()


def answer(task):
    filters = [
        (name, operator, pandas.Timestamp(value) if name == "timestamp" else value)
        for name, operator, value in task["filters"]
    ]
    table = pandas.read_parquet(task["path"], filters=filters)
    table = table.sort_values(["uuid", "timestamp"], kind="stable")
    nulls = pandas.Series([None] * len(table), dtype="object")
    digests = {}
    for column in task["columns"]:
        name = column["name"]
        absent = name not in table.columns or table[name].dtype == object and table[name].isna().all()
        digests[name] = digest(nulls if absent else table[name], "text" if absent else column["kind"])
        if absent and column["kind"] in ("time", "number"):
            digests[name] = digest(pandas.Series([None] * len(table), dtype="float64"), "number")
    return {
        "records": len(table),
        "ofColumn": digests,
        "types": {name: str(kind) for name, kind in table.dtypes.items()},
    }


print(f"pandas {pandas.__version__} with pyarrow {pyarrow.__version__}", flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
