import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
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

/** Each PGlite in memory is a database of its own, so both collectors of the contract use the same store. */
function exerciseOneStore(name: string, open: () => Promise<OpenStore>): void {
  let shared: Promise<OpenStore> | undefined;
  const openShared = (): Promise<OpenStore> => (shared ??= open());
  exerciseGpuStateHistory(name, openShared, openShared);
}
exerciseInEachState(exerciseOneStore, { ...pglite, atRest: "everything" });

exerciseHistoryRetention("PGlite", openMemoryStore);
exerciseKeyStore("PGlite", openMemoryStore);

exerciseInEachState(exerciseTelemetryStore, { ...pglite, atRest: "half" });
exerciseInEachState(exerciseDevicesInStore, { ...pglite, atRest: "everything" });
exerciseInEachState(exerciseInventory, { ...pglite, atRest: "everything" });
exerciseInEachState(exerciseMissedReasons, { ...pglite, atRest: "half" });
for (const exercise of [exerciseTelemetryQueries, exerciseCoverage, exerciseExpectedDevices, exerciseExpectedRecords]) {
  exerciseInEachState(exercise, { ...pglite, atRest: "nothing" });
}
exerciseSettledCoverage("PGlite", openMemoryStore, 3);
exerciseBoundedQueries("PGlite with half of its history settled", settledStores(openMemoryStore, "half"));
