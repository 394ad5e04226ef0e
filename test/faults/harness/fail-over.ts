import type { Range } from "../../../src/domain/range.ts";
import { until } from "../../../dev/until.ts";
import { PostgresClient } from "../../../src/db/postgres-client.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import type { Fault } from "./scenario.ts";
import type { Victims } from "./victims.ts";

/** The copy is made when this many messages are stored. Before that, the database may have no schema yet, and a program that
 *  runs does not migrate a database again. */
const messagesBeforeCopy = 5;
/** The wait for these messages ends after this time: etcd may be down meanwhile. The fault is then left out. */
const beforeCopyTimeoutMs = 5000;

/** Copies the database, lets it run on for the time of the fault, and kills it. Then the copy answers in its place: as a
 *  standby that had lagged and is promoted, or as a restored backup. The messages that only the killed database had are
 *  lost, and are reported as such. */
export async function failOver(fault: Fault, { servers, databaseUrl, record, reportLost }: Victims): Promise<void> {
  const { database } = servers;
  const isPromoted = fault.kind === "failover";
  const ledger = async (): Promise<string[]> =>
    database.standby.readStopped(new URL(databaseUrl).pathname.slice(1), ledgerText);
  if (!(await hasMessages(databaseUrl))) return record(`no ${fault.kind}: the database has no messages yet`);
  await database.kill("SIGINT");
  await database.standby.copy();
  const kept = new Set(await ledger());
  await database.start();
  record(`${isPromoted ? "a standby lags" : "a backup gets older"} for ${fault.lastsMs} ms`);
  await Bun.sleep(fault.lastsMs);
  await database.kill();
  const ranges = (await ledger()).filter((range) => !kept.has(range));
  // before the first collector can ask what is stored
  reportLost(ranges.map(rangeOf));
  await database.standby.takeOver(isPromoted);
  await database.start();
  if (isPromoted) await promote(database.url);
  record(`${isPromoted ? "the standby takes over" : "the backup is restored"} without ${ranges.length} messages`);
}

async function hasMessages(databaseUrl: string): Promise<boolean> {
  const client = new PostgresClient({ url: databaseUrl, maxConnections: 1, clock: systemClock });
  const count = async (): Promise<number> => {
    const rows = await client.query(`select from ingested_messages limit ${messagesBeforeCopy}`).catch(() => []);
    return rows.length;
  };
  try {
    await until(async () => (await count()) === messagesBeforeCopy, { timeoutMs: beforeCopyTimeoutMs, everyMs: 100 });
    return true;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}

async function promote(url: string): Promise<void> {
  const client = new PostgresClient({ url, maxConnections: 1, clock: systemClock });
  try {
    await client.query("select pg_promote()");
  } finally {
    await client.close();
  }
}

const ledgerText = "select from_offset || '-' || to_offset as range from ingested_messages";

function rangeOf(text: string): Range {
  const [from = 0, to = 0] = text.split("-").map(Number);
  return { from: { offset: from, line: 0 }, to: { offset: to, line: 0 } };
}
