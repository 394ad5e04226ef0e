import { compareFile } from "../../scripts/verify/compare-file.ts";
import { idInStore, recordsInStore } from "../../scripts/verify/stored-records.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange } from "../../src/etcd/requests.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { fileIds, FileLook } from "../../src/pipeline/source/file/file-look.ts";
import { QueueKeys } from "../../src/pipeline/queue/etcd/queue-keys.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { openCsvSource } from "../support/csv-reading.ts";
import { withClient } from "../support/postgres-database.ts";

/** Where a run has stored a file. */
export interface StoredFile {
  readonly csvFile: string;
  /** The rows of the file, without the header. */
  readonly rows: number;
  readonly databaseUrl: string;
  readonly etcdEndpoints: readonly string[];
  readonly topic: string;
}

interface Sums {
  readonly messages: number;
  readonly rows: number;
  readonly overlaps: number;
}

/** The number of rows of the file that the ledger of messages counts. */
export async function storedRows(file: StoredFile): Promise<number> {
  return (await sumsOf(file)).rows;
}

/** Compares the store and its ledger of messages with the file, and looks for what is left in the queue.
 *  @returns what is wrong; empty if every row is stored exactly once */
export async function judge(file: StoredFile): Promise<string[]> {
  const wrong: string[] = [];
  const { queries, close } = await openPostgresStore({ url: file.databaseUrl, migrate: false });
  try {
    const stored = recordsInStore(queries);
    const source = await openCsvSource(file.csvFile, { chooseId: idInStore(stored) });
    const { differences, differenceCount } = await compareFile(source, stored);
    if (differenceCount > 0) wrong.push(`${differenceCount} differences: ${differences.slice(0, 5).join("; ")}`);
  } finally {
    await close();
  }
  const { rows, overlaps } = await sumsOf(file);
  if (rows !== file.rows) wrong.push(`the stored messages count ${rows} rows, the file has ${file.rows}`);
  if (overlaps > 0) wrong.push(`${overlaps} messages cover what another one covers`);
  return [...wrong, ...(await leftInQueue(file))];
}

async function sumsOf({ csvFile, databaseUrl }: StoredFile): Promise<Sums> {
  const ids = fileIds("csv", await new FileLook(csvFile, systemClock).see());
  const [sums] = await withClient(databaseUrl, (client) =>
    client.query<Sums>(
      `select count(*)::int as messages, coalesce(sum(rows), 0)::int as rows,
         count(*) filter (where from_offset < before)::int as overlaps
       from (select rows, from_offset, max(to_offset) over (order by from_offset, to_offset
               rows between unbounded preceding and 1 preceding) as before
             from ingested_messages where source_id in ($1, $2)) m`,
      // the older version has begun to read it
      [ids.id, ids.earlierId],
    ),
  );
  return sums as Sums;
}

async function leftInQueue({ etcdEndpoints, topic }: StoredFile): Promise<string[]> {
  const client = new EtcdClient({ endpoints: etcdEndpoints });
  const { messages, dead } = new QueueKeys(topic);
  const left: string[] = [];
  for (const [what, prefix] of Object.entries({ messages, "dead letters": dead })) {
    const { count } = await client.range({ ...prefixRange(prefix), count_only: true });
    if (count !== "0") left.push(`${count} ${what} are left in the queue`);
  }
  client.close();
  return left;
}
