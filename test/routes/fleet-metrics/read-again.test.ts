import { afterEach, expect, test } from "bun:test";
import type { ExporterDialect } from "../../../dev/exporters/exporter-dialect.ts";
import { serveExporters } from "../../../dev/exporters/serve-exporters.ts";
import { messageOf } from "../../../dev/make-batch.ts";
import { BatchBuilder } from "../../../src/domain/batch-builder.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { ExpositionReader } from "../../../src/pipeline/source/exposition/exposition-reader.ts";
import { SharedTexts } from "../../../src/pipeline/source/labels/shared-texts.ts";
import { dueMs } from "../../pipeline/exposition/read-exposition.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";

// A pipeline that scrapes /metrics/fleet of another one has its fleet.

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** The gateway of a pipeline that has scraped these texts. */
async function gatewayOf(texts: readonly string[]): Promise<TestGateway> {
  const stored = await openFleetStore([]);
  closing.push(() => stored.close());
  const builder = new BatchBuilder();
  for (const text of texts) {
    const reader = new ExpositionReader({ target: "t", host: "t", clusterId: "c1", labels: {} }, new SharedTexts());
    const { ignored, rejected } = reader.read({ bytes: new TextEncoder().encode(text) }, dueMs, builder);
    expect([ignored, rejected]).toEqual([0, 0]);
  }
  await stored.store.ingest(messageOf("scrapes", builder.build()));
  return gatewayOver(stored, { clock: { ...systemClock, nowMs: () => dueMs + 1000 } });
}

async function expositionsOf(dialect: ExporterDialect): Promise<readonly string[]> {
  const clock = new ManualClock();
  const shares = { mig: 0.3, timeSlicing: 0.3, vgpu: 0.3, series: 0.5 };
  const fleet = { hosts: 6, gpusPerHost: 8, seed: 5, intervalMs: 15_000, clusterId: "c1" };
  const exporters = serveExporters({ ...fleet, dialect, per: "path", port: 0, clock, shares });
  closing.push(() => exporters.stop());
  await clock.advance(45_000);
  return Promise.all(
    exporters.targets.map(async ({ address, path }) => (await fetch(`http://${address}${path}`)).text()),
  );
}

interface Listed {
  readonly data: readonly { readonly properties?: Record<string, string> }[];
}
const stateOf = async (gateway: TestGateway) => {
  const gpus = (await gateway.json("/api/v1/gpus")) as unknown as Listed;
  // a pipeline takes what it scrapes for its own cluster, and keeps the other's as a label
  for (const gpu of gpus.data) delete gpu.properties?.["cluster"];
  return { gpus, latest: await gateway.json("/api/v1/telemetry/latest?limit=10000") };
};

test.each<[ExporterDialect, accept: string]>([
  ["4.8", "text/plain"],
  ["4.9", "application/openmetrics-text"],
])(
  "what was scraped from exporters of %s is read from /metrics/fleet as it is, with MIG instances, shared GPUs and labelled series: %s",
  async (dialect, accept) => {
    const gateway = await gatewayOf(await expositionsOf(dialect));
    const expected = await stateOf(gateway);
    expect(expected.latest["count"]).toBeGreaterThan(48);
    const shown = JSON.stringify(expected.latest);
    for (const part of ['"mig_profile"', '"occupants"', "{nvlink=", "vgpu="]) expect(shown).toContain(part);
    const text = await (await gateway.get("/metrics/fleet", { headers: { accept } })).text();
    expect(await stateOf(await gatewayOf([text]))).toEqual(expected);
  },
);
