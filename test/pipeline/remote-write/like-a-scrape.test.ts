import { afterEach, expect, test } from "bun:test";
import type { ExporterDialect } from "../../../dev/exporters/exporter-dialect.ts";
import type { RecordBatch } from "../../../src/domain/batch.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { AwaitsSeries } from "../../../src/pipeline/source/push.ts";
import { KnownExporters } from "../../../src/pipeline/source/remote-write/series-batches.ts";
import { Seeded } from "../../promql/seeded.ts";
import type { SentProtocol, SentSeries } from "../../remote-write/make-request.ts";
import { seriesOfText } from "../../remote-write/series-of-text.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { mergedRecords } from "../../support/merged-records.ts";
import { dueMs, openTarget } from "../exposition/read-exposition.ts";
import { expositionsOf, readRequest, sortedRecords as sorted } from "./read-request.ts";

// What a Prometheus sends of an exposition becomes the records that a scrape of the exposition becomes, also if the gateway has just started.

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

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
    const scraped = (await expositionsOf(dialect, stops)).flatMap(({ hostname, text }) => {
      const labels = { instance: `${hostname}:9400`, job: "dcgm" };
      for (const series of seriesOfText(text, dueMs, labels)) all.push({ at: random.below(1e6), series });
      return openTarget({ host: hostname, labels })(text).records;
    });
    const exporters = new KnownExporters("cluster", systemClock);
    const whole = await readRequest(
      exporters,
      protocol,
      all.map(({ series }) => series),
    );
    expect(sorted(mergedRecords(whole.batches).values())).toEqual(sorted(scraped));

    // again, divided between requests in any order, to a gateway that knows the exporters
    const shuffled = all.toSorted((a, b) => a.at - b.at).map(({ series }) => series);
    const parts: RecordBatch[] = [];
    for (let from = 0; from < shuffled.length; from += 150) {
      parts.push(...(await readRequest(exporters, protocol, shuffled.slice(from, from + 150))).batches);
    }
    expect(parts.flatMap(({ rejected }) => rejected)).toEqual([]);
    expect(sorted(mergedRecords(parts).values())).toEqual(sorted(scraped));
    expect(whole.counts.samples).toBe(all.length);
    expect(scraped.length).toBeGreaterThanOrEqual(12);
  },
);

const sentOf = async (dialect: ExporterDialect) => {
  const random = new Seeded(7);
  const scraped = (await expositionsOf(dialect, stops)).map(({ hostname, text: whole }) => {
    // a label that says of each series which release the exporter is
    const text = whole.replace(/,?DCGM_FI_SYSTEM_DRIVER_VERSION="[^"]*"/g, "");
    const labels = { instance: `${hostname}:9400`, job: "dcgm" };
    const series = seriesOfText(text, dueMs, labels).map((each) => ({ at: random.below(1e6), each }));
    return { series, records: openTarget({ host: hostname, labels })(text).records };
  });
  const series = scraped.flatMap((each) => each.series).toSorted((a, b) => a.at - b.at);
  return { series: series.map(({ each }) => each), records: scraped.flatMap(({ records }) => records) };
};

test.each<ExporterDialect>(["4.9", "nvidia_gpu_exporter"])(
  "a gateway that has just started lets senders repeat what it cannot read yet: exporters of %s give the records of a scrape",
  async (dialect) => {
    const { series, records } = await sentOf(dialect);
    const requests = Array.from({ length: Math.ceil(series.length / 20) }, (_, at) =>
      series.slice(20 * at, 20 * at + 20).map(({ labels, samples }): SentSeries => ({ labels, samples })),
    );
    const exporters = new KnownExporters("cluster", new ManualClock());
    const taken: RecordBatch[] = [];
    let refusals = 0;
    for (let waiting = requests; waiting.length > 0 && refusals < 1e5;) {
      const again: SentSeries[][] = [];
      for (const request of waiting) {
        try {
          taken.push(...(await readRequest(exporters, "1.0", request)).batches);
        } catch (error) {
          expect(error).toBeInstanceOf(AwaitsSeries);
          again.push(request);
        }
      }
      refusals += again.length;
      waiting = again;
    }
    expect(refusals).toBeGreaterThan(0);
    expect(taken.flatMap(({ rejected }) => rejected)).toEqual([]);
    expect(sorted(mergedRecords(taken).values())).toEqual(sorted(records));
  },
);

const ratioOf = (host: string): SentSeries[] => [
  {
    labels: {
      ...{ __name__: "DCGM_FI_DEV_GPU_UTIL_RATIO", UUID: `GPU-${host}`, gpu: "0", Hostname: host },
      ...{ job: "dcgm", instance: `${host}:9400` },
    },
    samples: [[1, dueMs]],
  },
];

test("a gateway waits for series that do not come for 30 s, and then for no exporter of the job for 10 minutes", async () => {
  const clock = new ManualClock();
  const exporters = new KnownExporters("cluster", clock);
  const taken = async (host: string) => {
    try {
      return (await readRequest(exporters, "2.0", ratioOf(host))).counts.of("rejected");
    } catch (error) {
      return error instanceof AwaitsSeries ? "again" : error;
    }
  };
  expect(await taken("a")).toBe("again");
  await clock.advance(29_999);
  expect(await taken("a")).toBe("again");
  await clock.advance(1);
  expect([await taken("a"), await taken("b")]).toEqual([1, 1]);
  await clock.advance(599_999);
  expect(await taken("b")).toBe(1);
  await clock.advance(1);
  expect(await taken("b")).toBe("again");
});
