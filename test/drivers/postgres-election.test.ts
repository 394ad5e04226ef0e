import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { until } from "../../dev/until.ts";
import { StoreUnavailable } from "../../src/domain/errors.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import type { Term } from "../../src/scaling/election/leader-election.ts";
import { PostgresLeaderElection } from "../../src/scaling/election/postgres/postgres-leader-election.ts";
import { exerciseLeaderElection } from "../contract/leader-election.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";

const lockKey = 1;
let server: ProvidedDatabase;
let url: string;

beforeAll(async () => {
  server = await provideDatabase();
  url = await createDatabase(server, "election", { plain: true });
}, 300_000);
afterAll(() => server.stop());

const candidate = (at = url): PostgresLeaderElection =>
  new PostgresLeaderElection({ url: at, lockKey, leaseSeconds: 2, clock });

async function lead(at = url): Promise<Term> {
  const term = await candidate(at).campaign(new AbortController().signal);
  if (term === undefined) throw new Error("the campaign was aborted");
  return term;
}

exerciseLeaderElection("PostgresLeaderElection", () => candidate());
exerciseLeaderElection("PostgresLeaderElection behind a pooler", () => candidate(`${url}?prepare=false`));

test("a term outlasts its lease, and ends when the server ends its connection; another process then leads", async () => {
  const term = await lead();
  await Bun.sleep(2500);
  expect(term.ended.aborted).toBe(false);
  const next = lead();
  await withClient(url, async (client) => {
    const sessions = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = $1";
    expect(await client.query(sessions, [lockKey])).toHaveLength(1);
  });
  await until(() => term.ended.aborted);
  await term.resign();
  await (await next).resign();
});

test("a leader holds no version of a row back, and leads in its database alone", async () => {
  const term = await lead();
  const other = await lead(await createDatabase(server, "election_other", { plain: true }));
  await withClient(url, async (client) => {
    const sessions = `
select backend_xmin is null and backend_xid is null as "isIdle" from pg_stat_activity join pg_locks using (pid)
where locktype = 'advisory' and objid = $1 and state = 'idle in transaction'`;
    await until(async () =>
      (await client.query<{ isIdle: boolean }>(sessions, [lockKey])).some(({ isIdle }) => isIdle),
    );
  });
  await Promise.all([term.resign(), other.resign()]);
});

test("a campaign says that the server cannot be reached", async () => {
  const unreachable = new URL(url);
  unreachable.port = "1";
  const error = await lead(unreachable.href).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StoreUnavailable);
});
