import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { pipelineInstruments } from "../../src/pipeline/observe/pipeline-instruments.ts";
import { openMemoryStore } from "../support/open-store.ts";

test("/metrics counts conflicts and rejected records that only the store can find, as the store does", async () => {
  const registry = new Registry();
  const listener = pipelineInstruments(registry);
  const { store, queries, close } = await openMemoryStore();
  const values = [
    { hostname: "vm-b", metrics: { temperature: 1 } },
    { hostname: "vm-a", metrics: { temperature: 2 } },
    { hostname: "vm-a", metrics: { temperature: 3 } },
  ];
  for (const [index, value] of values.entries()) {
    const message = messageOf(String(index), makeBatch([{ ...value, uuid: "GPU-1", timeMs: 0 }]));
    listener.stored(message, await store.ingest(message));
    // a second delivery counts nothing
    listener.stored(message, await store.ingest(message));
  }
  const text = await registry.metrics();
  expect(text).toMatch(/^telemetry_conflicting_values_total 1$/m);
  expect(text).toMatch(/^telemetry_rejected_inputs_total\{reason="uuid_on_two_hosts"\} 1$/m);
  expect(await queries.quarantine.countConflicts()).toBe(1);
  expect(await queries.quarantine.countRejections()).toEqual({ uuid_on_two_hosts: 1 });
  await close();
});

test("/metrics counts what became of readings, each once", async () => {
  const registry = new Registry();
  const listener = pipelineInstruments(registry);
  const { store, close } = await openMemoryStore();
  const readings = [
    { timeMs: 0, outcome: "read", count: 1 },
    { timeMs: 3000, outcome: "missed", reason: "timeout", count: 3 },
  ] as const;
  for (const [index, reading] of readings.entries()) {
    const message = messageOf(String(index), { ...makeBatch([]), reading: { ...reading, intervalMs: 1000 } });
    for (let delivery = 0; delivery < 2; delivery += 1) listener.stored(message, await store.ingest(message));
  }
  const text = await registry.metrics();
  expect(text).toMatch(/^telemetry_expected_readings_total 4$/m);
  expect(text).toMatch(/^telemetry_received_readings_total 1$/m);
  expect(text).toMatch(/^telemetry_missed_readings_total\{reason="timeout"\} 3$/m);
  await close();
});
