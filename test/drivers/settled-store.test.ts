import { afterAll, beforeAll } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { exerciseBoundedQueries } from "../contract/bounded-queries.ts";
import { exerciseGpuStateHistory } from "../contract/gpu-state-history.ts";
import { exerciseTelemetryQueries } from "../contract/telemetry-queries.ts";
import { exerciseTelemetryStore } from "../contract/telemetry-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { settledStores } from "../support/settled.ts";

// A store answers in the same way wherever its history is.

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

for (const state of ["half", "everything"] as const) {
  const name = `PGlite, of whose history ${state} is settled,`;
  exerciseTelemetryStore(name, settledStores(openMemoryStore, state));
  exerciseTelemetryQueries(name, settledStores(openMemoryStore, state));
}

exerciseBoundedQueries("PGlite, of whose history half is settled,", settledStores(openMemoryStore, "half"));
let shared: Promise<OpenStore> | undefined;
const openShared = () => (shared ??= settledStores(openMemoryStore, "everything")());
exerciseGpuStateHistory("PGlite, of whose history everything is settled,", openShared, openShared);

for (const [engine, state, plain] of [
  ["TimescaleDB", "everything", false],
  ["PostgreSQL", "half", true],
] as const) {
  const name = `${engine}, of whose history ${state} is settled,`;
  const open = async () =>
    openPostgresStore({ url: await createDatabase(server, `settled_${state}`, { plain }), migrate: true });
  exerciseTelemetryQueries(name, settledStores(open, state));
}
