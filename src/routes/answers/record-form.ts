import type { TObject } from "@sinclair/typebox";
import type { StoredRecord } from "../../domain/query.ts";
import type { Row } from "../http/formats/columns.ts";
import type { Format } from "../http/formats/negotiate.ts";
import { exportedRecordSchema, toExportedRecord } from "../schemas/exported-record.ts";
import { telemetryRecordSchema, toApiRecord } from "../schemas/telemetry-record.ts";

/** How records are written as rows. */
interface RecordForm {
  /** Whose fields are the columns. */
  readonly schema: TObject;
  readonly shown: (record: StoredRecord) => Row;
}

const exported: RecordForm = { schema: exportedRecordSchema, shown: toExportedRecord };
const plain: RecordForm = { schema: telemetryRecordSchema, shown: toApiRecord };

/** How records are written in a format: only Parquet, which is read back in, has the labels of their GPUs. */
export function recordForm(format: Format): RecordForm {
  return format === "parquet" ? exported : plain;
}
