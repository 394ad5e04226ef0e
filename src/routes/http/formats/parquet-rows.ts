import type { TObject } from "@sinclair/typebox";
import type { Asker } from "../access/asker.ts";
import type { Row } from "./columns.ts";
import { parquetColumns } from "./parquet-columns.ts";

/** Rows that arrive in parts, of which the first has been read. */
export interface RowParts {
  readonly first: IteratorResult<readonly Row[], void>;
  readonly parts: AsyncGenerator<readonly Row[], void>;
  readonly asker: Asker;
}

interface ParquetRows extends RowParts {
  readonly columns: readonly string[] | undefined;
  readonly schema: TObject | undefined;
}

/** The bytes of a Parquet file with the rows of the parts, a group of rows at a time. */
export async function* parquetOf({
  first,
  parts,
  asker,
  columns = [],
  schema,
}: ParquetRows): AsyncGenerator<Uint8Array, void> {
  try {
    // loaded for the first file: most gateways never write one
    const { ParquetFile } = await import("./parquet-file.ts");
    const pause = (): Promise<void> => asker.othersFirst();
    const file = new ParquetFile(parquetColumns(columns, schema, first.value ?? []));
    yield file.taken();
    for (let part = first; part.done !== true; part = await parts.next()) {
      for (let at = 0; at < part.value.length; at += rowsAtOnce) {
        file.add(part.value.slice(at, at + rowsAtOnce));
        await pause();
        if (!file.isFull) continue;
        await file.writeGroup(pause);
        yield file.taken();
      }
    }
    await file.writeGroup(pause);
    file.finish();
    yield file.taken();
  } finally {
    await parts.return();
  }
}

/** Rows whose values are taken over at a time, which takes about a millisecond. */
const rowsAtOnce = 500;
