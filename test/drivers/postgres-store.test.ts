import { afterAll, beforeAll } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { exerciseAnyOrder } from "../contract/any-order.ts";
import { exerciseBoundedExpected } from "../contract/bounded-expected.ts";
import { exerciseBoundedQueries } from "../contract/bounded-queries.ts";
import { exerciseCoverage } from "../contract/coverage.ts";
import { exerciseDevicesInStore } from "../contract/devices-in-store.ts";
import { exerciseExpectedDevices } from "../contract/expected-devices.ts";
import { exerciseMessageFolding } from "../contract/message-folding.ts";
import { exerciseMissedReasons } from "../contract/missed-reasons.ts";
import { exerciseExpectedRecords } from "../contract/expected-records.ts";
import { exerciseGpuStateHistory } from "../contract/gpu-state-history.ts";
import { exerciseKeyStore } from "../contract/key-store.ts";
import { exerciseHistoryRetention } from "../contract/history-retention.ts";
import { exerciseInventory } from "../contract/inventory.ts";
import { exerciseSettledCoverage } from "../contract/settled-coverage.ts";
import { exerciseStoredTogether } from "../contract/stored-together.ts";
import { exerciseTelemetryQueries } from "../contract/telemetry-queries.ts";
import { exerciseTelemetryStore } from "../contract/telemetry-store.ts";
import { exerciseInEachState } from "../support/each-state.ts";
import { createDatabase } from "../support/postgres-database.ts";

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

/** @returns a function that opens the store; a contract may call it more than once, and the first call creates the database */
function inDatabase(name: string, options: { readonly plain?: boolean; readonly query?: string }) {
  let url: Promise<string> | undefined;
  return async () => {
    url ??= createDatabase(server, name, options);
    return openPostgresStore({ url: `${await url}${options.query ?? ""}`, migrate: true });
  };
}

exerciseTelemetryStore("TimescaleDB with the setting for a pooler", inDatabase("pooled", { query: "?prepare=false" }));

exerciseStoredTogether("TimescaleDB", inDatabase("timescale_together", {}));
exerciseStoredTogether("PostgreSQL", inDatabase("plain_together", { plain: true }));

exerciseMessageFolding("TimescaleDB", inDatabase("timescale_folding", {}));
exerciseMessageFolding("PostgreSQL", inDatabase("plain_folding", { plain: true }));

exerciseDevicesInStore("TimescaleDB", inDatabase("timescale_devices", {}));
exerciseDevicesInStore("PostgreSQL", inDatabase("plain_devices", { plain: true }));

let teams = 0;
exerciseBoundedQueries("TimescaleDB", () => inDatabase(`timescale_teams_${(teams += 1)}`, {})());

exerciseBoundedExpected("TimescaleDB", inDatabase("timescale_moved", {}));

exerciseKeyStore("PostgreSQL", inDatabase("plain_keys", { plain: true }));

for (const [name, options, atRest] of [
  ["TimescaleDB", {}, "everything"],
  ["PostgreSQL", { plain: true }, "half"],
] as const) {
  const inOwnDatabase = (part: string) => ({ name, open: inDatabase(`${name.toLowerCase()}_${part}`, options) });
  exerciseInEachState(exerciseTelemetryStore, { ...inOwnDatabase("store"), atRest });
  exerciseInEachState(exerciseTelemetryQueries, { ...inOwnDatabase("queries"), atRest });
  exerciseInEachState(exerciseInventory, { ...inOwnDatabase("inventory"), atRest });
  exerciseInEachState(exerciseMissedReasons, { ...inOwnDatabase("reasons"), atRest });
}

// without TimescaleDB, these run in the embedded store
for (const [part, exercise] of [
  ["coverage", exerciseCoverage],
  ["expected", exerciseExpectedDevices],
  ["due", exerciseExpectedRecords],
] as const) {
  exerciseInEachState(exercise, { name: "TimescaleDB", open: inDatabase(`timescale_${part}`, {}), atRest: "nothing" });
}

for (const [name, options] of [
  ["TimescaleDB", {}],
  ["PostgreSQL", { plain: true }],
] as const) {
  const open = inDatabase(`history_${name.toLowerCase()}`, options);
  exerciseGpuStateHistory(name, open, open);
  exerciseAnyOrder(name, { open, another: open, runs: 30 });
}

exerciseHistoryRetention("TimescaleDB", inDatabase("timescale_retention", {}));
exerciseHistoryRetention("PostgreSQL", inDatabase("plain_retention", { plain: true }));

exerciseSettledCoverage("TimescaleDB", inDatabase("timescale_settled", {}), 6);
