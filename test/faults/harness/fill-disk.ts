import type { PostgresDisk } from "../../../dev/servers/postgres.ts";
import { PostgresClient } from "../../../src/db/postgres-client.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import type { Fault } from "./scenario.ts";
import type { Victims } from "./victims.ts";
import type { Worker } from "./workers.ts";

/** With etcd away as well, nothing reaches the collectors that they could not store. */
const saidWithinMs = 30_000;
/** While the database is down a collector that was killed does not come back; all of them may have been. */
const silenceMs = 5000;

/** What a collector's /health must say of a full disk. A server whose log finds no space ends, and says so once, to the
 *  one that it worked for: from then on the others can only tell that it is down. */
const complaintOf = {
  tables: /No space left on device \(53100\); the database's disk is full/,
  cluster: /the database's disk is full|ECONNREFUSED.*a full disk stops it/,
};

/** Takes all space for the fault's time, and until a collector's /health says so. */
export async function fillDisk(name: PostgresDisk, fault: Fault, victims: Victims): Promise<void> {
  const { servers, collectors, tell, violated } = victims;
  const disk = servers.database.disks?.[name];
  if (disk === undefined) throw new Error("the database has no disks of its own");
  // one that starts without a database ends again, and then there is no /health
  await untilHealth(collectors, () => true);
  tell(`fill the database's ${name} disk for ${fault.lastsMs} ms`);
  const startedAtMs = Date.now();
  let health: { readonly said: string | undefined; readonly answers: number };
  try {
    disk.fill();
    if (name === "cluster") await bringDown(victims);
    health = await untilHealth(collectors, (complaint) => {
      // what the server gave back meanwhile
      disk.fill();
      return Date.now() - startedAtMs >= fault.lastsMs && complaintOf[name].test(complaint);
    });
  } finally {
    disk.free();
    tell(`free the database's ${name} disk after ${Date.now() - startedAtMs} ms`);
    await startAgain(victims);
  }
  const { said, answers } = health;
  tell(`/health said: ${said}`);
  if (said === undefined && answers > 0) {
    violated(`/health: of ${answers} answers none said that the database's disk is full`);
  }
}

/** Asks the collectors until one says what is looked for: a complaint, or "" where it has none. */
async function untilHealth(
  collectors: readonly Worker[],
  isIt: (complaint: string) => boolean,
): Promise<{ said: string | undefined; answers: number }> {
  const startedAtMs = Date.now();
  let answers = 0;
  let answeredAtMs = startedAtMs;
  while (Date.now() - startedAtMs < saidWithinMs && Date.now() - answeredAtMs < silenceMs) {
    const asked = await Promise.all(collectors.map((collector) => collector.complaints()));
    const answered = asked.filter((each) => each !== undefined);
    if (answered.length > 0) answeredAtMs = Date.now();
    answers += answered.length;
    const said = answered.flatMap((each) => (each.length === 0 ? [""] : each)).find(isIt);
    if (said !== undefined) return { said, answers };
    await Bun.sleep(100);
  }
  return { said: undefined, answers };
}

/** Asks for new parts of the log, as the load would in the end: the server goes down, and stays down. */
async function bringDown({ servers, tell }: Victims): Promise<void> {
  const client = new PostgresClient({ url: servers.database.url, maxConnections: 1, clock: systemClock });
  const next = "select pg_logical_emit_message(true, 'faults', 'next'), pg_switch_wal()";
  try {
    for (let parts = 0; parts < 10; parts += 1) await client.query(next);
    tell("the server wrote its log all the same");
  } catch (error) {
    tell(`the server: ${(error as Error).message}`);
  } finally {
    await client.close();
  }
  await servers.database.start().then(
    () => tell("the server answers all the same"),
    () => tell("the server does not start without space"),
  );
}

/** One that was about to end may end while it is waited for. */
async function startAgain({ servers, tell }: Victims): Promise<void> {
  await servers.database.start().catch((error: unknown) => {
    tell(`the server is started once more: ${(error as Error).message.split("\n")[0]}`);
    return servers.database.start();
  });
}
