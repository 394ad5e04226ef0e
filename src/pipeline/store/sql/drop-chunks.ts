import type { SqlClient, SqlTransaction } from "../../../db/client.ts";
import {
  type Chunk,
  dropChunk,
  dropOldChunk,
  hasStaleRollups,
  isEmptyChunk,
  selectChunks,
  vacuumEmptyChunk,
} from "../../../db/sql/chunks.ts";
import { isArchivedUntil } from "../../../db/sql/archive-hours.ts";
import { holdSettling, tryHours } from "../../../db/sql/hour-locks.ts";
import { hourMs } from "../../../domain/time-range.ts";
import type { UnarchivedHours } from "../history-retention.ts";
import type { RetentionPass } from "./retention-pass.ts";

/** PostgreSQL vacuums by itself what has lost more than some fifty rows. Larger chunks, which take longer, are left to it; but it may
 *  leave their pages, if they are being read. */
const vacuumedBytes = 8 * 1024 * 1024;
/** The server has memory for some thousand locks. Only a change of the chunks' length by hand makes longer chunks: one is dropped
 *  although records may be added to it, and adding them fails and is repeated. */
const lockedHoursMax = 31 * 24;

/** What the functions below need of their caller. */
export interface ChunkDeletion {
  readonly client: SqlClient;
  readonly timescaleSchema: string;
  readonly pass: RetentionPass;
}

/** Drops the chunks whose records are all older than `days`. A chunk to which records are being added, that has records whose
 *  rollups are stale, or records that are not archived and are kept, is left for a later time. @throws OthersDelete */
export async function dropOldChunks(
  deletion: ChunkDeletion,
  days: number,
  unarchived: UnarchivedHours = "deleted",
): Promise<void> {
  for (const chunk of await selectChunks(deletion.client, days)) {
    const isDue = async (transaction: SqlTransaction) =>
      !(await hasStaleRollups(transaction, chunk, days)) &&
      (unarchived === "deleted" || (await isArchivedUntil(transaction, chunk.toMs)));
    const what = `chunk(s) of telemetry older than ${days} days`;
    await drop(deletion, chunk, { isDue, drop: dropOldChunk, what });
  }
}

/** Drops the chunks of the hypertable whose records are all settled, from a day after their end on. Each costs time in every
 *  statement, and settling empties one a day.
 *
 *  A chunk is dropped only once it has no pages: then no reader still has a snapshot from before its records were settled, in which
 *  they would be in neither rows nor blocks. @throws OthersDelete */
export async function dropEmptyChunks(deletion: ChunkDeletion): Promise<void> {
  const { client } = deletion;
  for (const chunk of await selectChunks(client, 1)) {
    if (chunk.bytes > vacuumedBytes && chunk.deadRows > 0) continue;
    if (chunk.bytes > 0 && !(await vacuumEmptyChunk(client, chunk))) continue;
    const isDue = (transaction: SqlTransaction): Promise<boolean> => isEmptyChunk(transaction, chunk);
    await drop(deletion, chunk, { isDue, drop: dropChunk, what: "chunk(s) of telemetry without records" });
  }
}

/** What is dropped, and why. */
interface Dropped {
  readonly isDue: (transaction: SqlTransaction) => Promise<boolean>;
  readonly drop: typeof dropChunk;
  readonly what: string;
}

async function drop({ pass, timescaleSchema }: ChunkDeletion, chunk: Chunk, dropped: Dropped): Promise<void> {
  await pass.alone(async (transaction) => {
    holdSettling(transaction);
    const isFree = (await tryHours(transaction, hoursOf(chunk))) === "held" && (await dropped.isDue(transaction));
    return isFree ? dropped.drop(transaction, timescaleSchema, chunk) : 0;
  }, dropped.what);
}

function hoursOf({ fromMs, toMs }: Chunk): number[] {
  const first = Math.floor(fromMs / hourMs);
  const length = Math.ceil(toMs / hourMs) - first;
  return length > lockedHoursMax ? [] : Array.from({ length }, (_, hour) => (first + hour) * hourMs);
}
