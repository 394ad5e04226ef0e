import type { PostgresDisk } from "../../../dev/servers/postgres.ts";
import { PostgresClient } from "../../../src/db/postgres-client.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import type { Fault } from "./scenario.ts";
import type { Victims } from "./victims.ts";
import type { Worker } from "./workers.ts";

/** The wait for a report ends after this time, because a report may never come: if etcd is down at the same time, no message
 *  reaches the collectors, and none of them notices the full disk. */
const reportTimeoutMs = 30_000;
/** The wait also ends after this time without any answer: a killed collector cannot start again while the database is down, and
 *  all collectors may have been killed. */
const silenceMs = 5000;

/** The reason in a collector's /health when a disk is full, by disk. A server without space for its log stops, and reports the
 *  reason once, to the client whose statement it was executing. The other clients only see that the server is down. */
const complaintOf = {
  tables: /No space left on device \(53100\); the database's disk is full/,
  cluster: /the database's disk is full|ECONNREFUSED.*a full disk stops it/,
};

/** Keeps the disk full until the fault's duration has passed and a collector's /health reports that the disk is full, or until
 *  the wait for the report ends. Then frees the disk and starts the database. It is a violation if collectors answered and none
 *  reported the full disk. */
export async function fillDisk(name: PostgresDisk, fault: Fault, victims: Victims): Promise<void> {
  const { servers, collectors, loadedUntilMs, record, reportViolations } = victims;
  const disk = servers.database.disks?.[name];
  if (disk === undefined) throw new Error("the database has no disks of its own");
  // waits until a collector is up: a collector that starts without a database exits, and cannot report the full disk
  await untilHealth(collectors, () => true);
  // without load, no collector writes, and none can report the full disk
  if (Date.now() > loadedUntilMs) return record(`no full ${name} disk: an earlier fault took too long`);
  record(`fill the database's ${name} disk for ${fault.lastsMs} ms`);
  const startedAtMs = Date.now();
  let health: { readonly complaint: string | undefined; readonly answers: number };
  try {
    disk.fill();
    if (name === "cluster") await bringDown(victims);
    health = await untilHealth(collectors, (complaint) => {
      // the server may have freed space meanwhile
      disk.fill();
      return Date.now() - startedAtMs >= fault.lastsMs && complaintOf[name].test(complaint);
    });
  } finally {
    disk.free();
    record(`free the database's ${name} disk after ${Date.now() - startedAtMs} ms`);
    await startAgain(victims);
  }
  const { complaint, answers } = health;
  record(`/health reported: ${complaint}`);
  if (complaint === undefined && answers > 0) {
    reportViolations(`/health: none of ${answers} answers reported that the database's disk is full`);
  }
}

/** Asks the collectors until one of them has a matching complaint. A collector without complaints has the complaint "".
 *  @returns the complaint, which is undefined if the wait ended before one matched, and the number of answers */
async function untilHealth(
  collectors: readonly Worker[],
  matches: (complaint: string) => boolean,
): Promise<{ complaint: string | undefined; answers: number }> {
  const startedAtMs = Date.now();
  let answers = 0;
  let answeredAtMs = startedAtMs;
  while (Date.now() - startedAtMs < reportTimeoutMs && Date.now() - answeredAtMs < silenceMs) {
    const responses = await Promise.all(collectors.map((collector) => collector.complaints()));
    const answered = responses.filter((each) => each !== undefined);
    if (answered.length > 0) answeredAtMs = Date.now();
    answers += answered.length;
    const complaint = answered.flatMap((each) => (each.length === 0 ? [""] : each)).find(matches);
    if (complaint !== undefined) return { complaint, answers };
    await Bun.sleep(100);
  }
  return { complaint: undefined, answers };
}

/** Forces new segments of the write-ahead log, as the load would do eventually. Without space for them, the server stops and
 *  cannot start. */
async function bringDown({ servers, record }: Victims): Promise<void> {
  const client = new PostgresClient({ url: servers.database.url, maxConnections: 1, clock: systemClock });
  const next = "select pg_logical_emit_message(true, 'faults', 'next'), pg_switch_wal()";
  try {
    for (let parts = 0; parts < 10; parts += 1) await client.query(next);
    record("the server could still write its log");
  } catch (error) {
    record(`the server: ${(error as Error).message}`);
  } finally {
    await client.close();
  }
  await servers.database.start().then(
    () => record("the server could start"),
    () => record("the server does not start without space"),
  );
}

/** Starts the database. The server is started once more if the first start fails, for example because the server was
 *  still stopping. */
async function startAgain({ servers, record }: Victims): Promise<void> {
  await servers.database.start().catch((error: unknown) => {
    record(`the server is started once more: ${(error as Error).message.split("\n")[0]}`);
    return servers.database.start();
  });
}
