import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
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
import { openMemoryStore } from "../support/open-store.ts";
import { settledStores } from "../support/settled.ts";

// PGlite takes 10 times as long as PostgreSQL, whose stores keep each contract in more states.
const pglite = { name: "PGlite", open: openMemoryStore };
exerciseStoredTogether("PGlite", openMemoryStore);
exerciseMessageFolding("PGlite", openMemoryStore);

/** Answers come from rows and from blocks. */
const openHalfSettled = settledStores(openMemoryStore, "half");
exerciseInEachState(exerciseTelemetryStore, { ...pglite, atRest: "half" });
for (const exercise of [exerciseTelemetryQueries, exerciseCoverage, exerciseExpectedDevices, exerciseExpectedRecords]) {
  exercise("PGlite", openHalfSettled);
}
for (const exercise of [exerciseDevicesInStore, exerciseInventory, exerciseMissedReasons, exerciseBoundedQueries]) {
  exercise("PGlite", openHalfSettled);
}
exerciseBoundedExpected("PGlite", openHalfSettled);
exerciseHistoryRetention("PGlite", openMemoryStore);
exerciseKeyStore("PGlite", openMemoryStore);

// each PGlite in memory is a database of its own, so both collectors of the contract use the same store
let shared: Promise<OpenStore> | undefined;
const openShared = (): Promise<OpenStore> => (shared ??= openHalfSettled());
exerciseGpuStateHistory("PGlite", openShared, openShared);
exerciseSettledCoverage("PGlite", openMemoryStore, 3);
