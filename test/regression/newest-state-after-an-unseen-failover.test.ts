import { expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { startPostgres } from "../../dev/servers/postgres.ts";
import { until } from "../../dev/until.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// A gateway without etcd reads the store again if the id of the snapshot differs. A standby that had lagged took over between two of its
// questions, and stored as many transactions as the lost server had: the ids were equal, and the gateway did not show the new record.

setDefaultTimeout(120_000);

test("what a new primary has stored is shown, even if its snapshot has the id that the lost one's had", async () => {
  const server = await startPostgres();
  const open = () => openPostgresStore({ url: server.url, migrate: true, maxConnections: 2 });
  const timeMs = Date.UTC(2025, 6, 18, 20);
  const store = async (id: string, second: number): Promise<void> => {
    const collector = await open();
    await collector.store.ingest(
      messageOf(id, makeBatch([{ uuid: "GPU-0", timeMs: timeMs + second * 1000, metrics: { power_draw: second } }])),
    );
    await collector.close();
  };
  await store("01K0000000000000000000000A", 1);
  await server.kill("SIGINT");
  await server.standby.copy();
  await server.start();
  const gateway = await open();
  const { fleet: queries } = gateway.queries;
  const snapshot = async (): Promise<unknown> =>
    (await gateway.client.query("select pg_current_snapshot()::text as id"))[0];
  const clock = new ManualClock();
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  let questions = 0;
  const revision = async (): Promise<string> => {
    const answer = await queries.revision();
    questions += 1;
    return answer;
  };
  const log = unshownLog();
  const fleet = new FleetProjection({ hotTier, store: { ...queries, revision }, rereadMs: 2000, clock, log });
  try {
    await store("01K0000000000000000000000B", 2);
    await fleet.start();
    const lost = await snapshot();
    await server.kill();
    await server.standby.takeOver(true);
    await server.start();
    // the connections that the server's end has cut are replaced
    await until(async () => (await gateway.client.query("select pg_promote()").catch(() => [])).length > 0);
    await store("01K0000000000000000000000C", 3);
    expect(await snapshot()).toEqual(lost);
    const before = questions;
    await until(async () => {
      await clock.advance(2000);
      return questions > before + 1;
    });
    expect(fleet.latest({})[0]?.metrics.power_draw).toBe(3);
  } finally {
    await fleet.stop(AbortSignal.abort());
    await gateway.close();
    await server.stop();
  }
});
