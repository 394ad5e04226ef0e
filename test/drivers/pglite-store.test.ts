import { exerciseTelemetryStore } from "../contract/telemetry-store.ts";
import { openMemoryStore } from "../support/open-store.ts";

exerciseTelemetryStore("PGlite", openMemoryStore);
