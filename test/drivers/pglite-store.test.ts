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
import { openMemoryStore } from "../support/open-store.ts";
import { settledStores } from "../support/settled.ts";

exerciseTelemetryStore("PGlite", openMemoryStore);
exerciseStoredTogether("PGlite", openMemoryStore);
exerciseTelemetryQueries("PGlite", openMemoryStore);
exerciseMessageFolding("PGlite", openMemoryStore);
exerciseDevicesInStore("PGlite", openMemoryStore);
exerciseBoundedQueries("PGlite", openMemoryStore);

/** Each PGlite in memory is a database of its own, so both collectors of the contract use the same store. */
let shared: Promise<OpenStore> | undefined;
const openShared = (): Promise<OpenStore> => (shared ??= openMemoryStore());
exerciseGpuStateHistory("PGlite", openShared, openShared);

exerciseHistoryRetention("PGlite", openMemoryStore);
exerciseCoverage("PGlite", openMemoryStore);
exerciseInventory("PGlite", openMemoryStore);
exerciseExpectedDevices("PGlite", openMemoryStore);
exerciseMissedReasons("PGlite", openMemoryStore);
exerciseExpectedRecords("PGlite", openMemoryStore);
exerciseKeyStore("PGlite", openMemoryStore);

exerciseSettledCoverage("PGlite", openMemoryStore, 3);
exerciseCoverage("PGlite with settled history", settledStores(openMemoryStore, "everything"));
exerciseInventory("PGlite with settled history", settledStores(openMemoryStore, "everything"));
exerciseMissedReasons("PGlite with half of its history settled", settledStores(openMemoryStore, "half"));
