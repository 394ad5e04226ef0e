import { receivedFrom } from "../../../src/pipeline/source/received-body.ts";
import { afterEach, expect, test } from "bun:test";
import type { ExporterDialect } from "../../../dev/exporters/exporter-dialect.ts";
import { serveExporters } from "../../../dev/exporters/serve-exporters.ts";
import type { RecordBatch } from "../../../src/domain/batch.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { type WriteBody, WriteCounts } from "../../../src/pipeline/source/remote-write.ts";
import { KnownExporters } from "../../../src/pipeline/source/remote-write/series-batches.ts";
import { writeReader } from "../../../src/pipeline/source/remote-write/write-reader.ts";
import { Seeded } from "../../promql/seeded.ts";
import { messageFor, packed, type SentProtocol, type SentSeries } from "../../remote-write/make-request.ts";
import { seriesOfText } from "../../remote-write/series-of-text.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { type MergedRecord, mergedRecords } from "../../support/merged-records.ts";
import { dueMs, openTarget } from "../exposition/read-exposition.ts";

// What a Prometheus sends of an exposition becomes the records that a scrape of the exposition becomes.

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function expositions(dialect: ExporterDialect): Promise<{ hostname: string; text: string }[]> {
  const clock = new ManualClock();
  const shares = { mig: 0.3, timeSlicing: 0.3, vgpu: 0.3, series: 0.5 };
  const fleet = { hosts: 3, gpusPerHost: 4, seed: 5, intervalMs: 15_000, clusterId: "c1" };
  const exporters = serveExporters({ ...fleet, dialect, per: "path", port: 0, clock, shares });
  stops.push(() => exporters.stop());
  await clock.advance(45_000);
  return Promise.all(
    exporters.targets.map(async ({ address, path, hostname }) => ({
      hostname,
      text: await (await fetch(`http://${address}${path}`)).text(),
    })),
  );
}

async function read(
  exporters: KnownExporters,
  protocol: SentProtocol,
  series: readonly SentSeries[],
): Promise<{ batches: RecordBatch[]; counts: WriteCounts }> {
  const counts = new WriteCounts();
  const bytes = new Blob([packed(messageFor(protocol, series))]).stream();
  const body: WriteBody = { protocol, bytes, clusterId: "c1", counts };
  const chunks = receivedFrom(bytes, systemClock);
  const { batches } = writeReader(exporters, { maxBytes: 1e7 })(body, chunks, new AbortController().signal);
  return { batches: await Array.fromAsync(batches), counts };
}

const shownRecord = ({ gpu, timeMs, metrics, custom, occupants }: MergedRecord) => ({
  ...{ gpu, timeMs, occupants: [...occupants].sort() },
  metrics: Object.fromEntries([...metrics].sort()),
  custom: Object.fromEntries([...custom].sort()),
});
const sorted = (records: Iterable<MergedRecord>) =>
  [...records].map(shownRecord).sort((a, b) => (a.gpu.uuid < b.gpu.uuid ? -1 : 1));

test.each<[ExporterDialect, SentProtocol]>([
  ["4.8", "1.0"],
  ["4.6", "2.0"],
  ["4.9", "1.0"],
  ["4.9", "2.0"],
  ["amd", "1.0"],
  ["nvidia_gpu_exporter", "2.0"],
])(
  "exporters of %s, sent by version %s in pieces and in any order, give the records of a scrape",
  async (dialect, protocol) => {
    const random = new Seeded(11);
    const all: { at: number; series: SentSeries }[] = [];
    const scraped = (await expositions(dialect)).flatMap(({ hostname, text }) => {
      const labels = { instance: `${hostname}:9400`, job: "dcgm" };
      for (const series of seriesOfText(text, dueMs, labels)) all.push({ at: random.below(1e6), series });
      return openTarget({ host: hostname, labels })(text).records;
    });
    const exporters = new KnownExporters("cluster");
    const whole = await read(
      exporters,
      protocol,
      all.map(({ series }) => series),
    );
    expect(sorted(mergedRecords(whole.batches).values())).toEqual(sorted(scraped));

    // again, divided between requests in any order, to a gateway that knows the exporters
    const shuffled = all.toSorted((a, b) => a.at - b.at).map(({ series }) => series);
    const parts: RecordBatch[] = [];
    for (let from = 0; from < shuffled.length; from += 150) {
      parts.push(...(await read(exporters, protocol, shuffled.slice(from, from + 150))).batches);
    }
    expect(parts.flatMap(({ rejected }) => rejected)).toEqual([]);
    expect(sorted(mergedRecords(parts).values())).toEqual(sorted(scraped));
    expect(whole.counts.samples).toBe(all.length);
    expect(scraped.length).toBeGreaterThanOrEqual(12);
  },
);
