import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { selectAggregates } from "../../src/db/sql/select-aggregates.ts";
import { selectPart } from "../../src/db/sql/history-part.ts";
import { rollupSource } from "../../src/db/sql/select-rollups.ts";
import { groupings } from "../../src/domain/query.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { withClient } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

const start = Date.UTC(2025, 6, 18, 20);

const inNamespace = (namespace: string, pod = "p") => ({ container: "", pod, namespace });
/** The workloads of each GPU: none, one, and several that share it. */
const occupants = [
  [],
  [inNamespace("a")],
  [inNamespace("a"), inNamespace("b")],
  [inNamespace("b", "p"), inNamespace("b", "q"), inNamespace("c")],
  [inNamespace("")],
];

// With TimescaleDB's community licence, the database stores the rollups. Otherwise, views with the same names and
// columns replace them.
test("queries of the rollups have the same results as queries of the records", async () => {
  const records = Array.from({ length: 200 }, (_, index) => ({
    uuid: `rolled-${index % 5}`,
    hostname: `host-${index % 2}`,
    timeMs: start + Math.floor(index / 5) * 17_000,
    metrics: { temperature: (index * 37) % 90, ...(index % 3 === 0 ? { power_draw: index / 7 } : {}) },
    sharing: occupants[index % 5] ?? [],
  }));
  const { store, close } = await openPostgresStore({ url: server.url, migrate: true });
  await store.ingest(messageOf("rolled", makeBatch(records)));
  await close();
  await withClient(server.url, async (client) => {
    const window = { gpus: {}, range: { fromMs: start + 30_000, toMs: start + 600_001 }, limit: 1000 };
    for (const resolution of ["1m", "1h"] as const) {
      for (const groupBy of groupings) {
        const filter = { ...window, groupBy, metrics: ["temperature", "power_draw"], resolution };
        const fromRollups = await selectAggregates(client, filter, true);
        expect(rounded(fromRollups)).toEqual(rounded(await selectAggregates(client, filter, false)));
      }
      const ask = (isMaterialized: boolean) => selectPart(client, rollupSource({ resolution, isMaterialized }), window);
      const fromRollups = await ask(true);
      expect(fromRollups).toEqual(await ask(false));
      if (resolution === "1h") continue; // no hour begins in the window
      expect(fromRollups.elements.length).toBeGreaterThan(20);
      for (const namespace of ["", "a", "b", "c", "d"]) {
        const source = rollupSource({ resolution, isMaterialized: true });
        const found = await selectPart(client, source, { ...window, gpus: { namespace } });
        const holding = occupants.filter((set) =>
          set.length === 0 ? namespace === "" : set.some((workload) => workload.namespace === namespace),
        );
        expect(new Set(found.elements.map(({ gpuKey }) => gpuKey)).size).toBe(holding.length);
      }
    }
  });
});

/** Rounds numbers: with rollups, the values are added up in another order. */
function rounded(rows: readonly object[]): unknown {
  return JSON.parse(
    JSON.stringify(rows, (_, value: unknown) => (typeof value === "number" ? value.toPrecision(12) : value)),
  );
}
