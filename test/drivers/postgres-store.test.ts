import { afterAll, beforeAll } from "bun:test";
import { type PostgresServer, startPostgres } from "../../scripts/services/postgres.ts";
import { openPostgresStore } from "../../src/pipeline/store/open-postgres-store.ts";
import { exerciseTelemetryStore } from "../contract/telemetry-store.ts";

let server: PostgresServer;
beforeAll(async () => void (server = await startPostgres()), 300_000);
afterAll(() => server.stop());

exerciseTelemetryStore("TimescaleDB", () => openPostgresStore({ url: server.url, migrate: true }));
