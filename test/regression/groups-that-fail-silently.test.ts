import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { pipelineInstruments } from "../../src/pipeline/observe/pipeline-instruments.ts";
import { manyMessages } from "../support/many-messages.ts";
import { openMemoryStore } from "../support/open-store.ts";

test("a transaction of several messages that fails, while each message can be stored alone, is counted once, with its reason", async () => {
  const { client, store, close } = await openMemoryStore();
  const registry = new Registry();
  const listener = pipelineInstruments(registry);
  await client.query(`
create function refuse_several() returns trigger language plpgsql as $$ begin
  if (select count(*) from added) > 1 then raise exception 'too many at once'; end if;
  return null;
end $$`);
  await client.query(`
create trigger refuse_several after insert on ingested_messages referencing new table as added
for each statement execute function refuse_several()`);
  const messages = manyMessages();
  const results = await Promise.all(messages.map((message) => store.ingest(message)));
  results.forEach((result, index) => listener.stored(messages[index] as (typeof messages)[number], result));
  expect(results.map(({ duplicate, recordsInserted }) => [duplicate, recordsInserted])).toEqual(
    messages.map(() => [false, 3]),
  );
  expect(results.flatMap(({ failedTogether = [] }) => failedTogether)).toEqual([
    expect.stringContaining("too many at once"),
  ]);
  expect(await registry.getSingleMetricAsString("telemetry_failed_groups_total")).toContain("total 1");
  expect(await registry.getSingleMetricAsString("telemetry_stored_messages_total")).toContain(
    `total ${messages.length}`,
  );
  await close();
});
