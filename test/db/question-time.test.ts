import { expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { SqlExecutor } from "../../src/db/client.ts";
import { QueryTooCostly } from "../../src/domain/errors.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { SqlTelemetryQueries } from "../../src/pipeline/store/sql/sql-telemetry-queries.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";

test("a question that needs many quick statements is ended at the time limit", async () => {
  const { store, client, close } = await openMemoryStore();
  const records = [0, 1, 2, 3].map((hour) => ({
    uuid: "GPU-a",
    timeMs: hour * 3_600_000,
    metrics: { temperature: hour },
  }));
  await store.ingest(messageOf("message", makeBatch(records)));
  await settleTo(client, "everything");
  let statements = 0;
  const slow: SqlExecutor = {
    query: async (text, params) => {
      statements += 1;
      await Bun.sleep(5);
      return client.query(text, params);
    },
  };
  const filter = { gpus: { uuids: ["GPU-a"] }, range: allTime, limit: 10 };
  const error = await new SqlTelemetryQueries(slow, 1).history.records(filter).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(QueryTooCostly);
  expect(statements).toBe(1);
  const { elements } = await new SqlTelemetryQueries(slow).history.records(filter);
  expect(elements.map(({ metrics }) => metrics.temperature)).toEqual([0, 1, 2, 3]);
  await close();
});
