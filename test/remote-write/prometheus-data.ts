import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import { ExpositionReader } from "../../src/pipeline/source/exposition/exposition-reader.ts";
import { SharedTexts } from "../../src/pipeline/source/labels/shared-texts.ts";
import { type MergedRecord, recordsIn } from "../support/merged-records.ts";

/** A series as Prometheus' API shows it, with its samples as they are. */
interface RawSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [seconds: number, value: string])[];
}

/** What a Prometheus has of GPUs. */
export interface PrometheusData {
  readonly samples: number;
  /** By uuid and time: what a scrape of the same samples would give. */
  readonly records: ReadonlyMap<string, MergedRecord>;
}

/** Figures of a program about itself, each summed over its series. */
export async function figuresOf(metricsUrl: string, names: readonly string[]): Promise<Record<string, number>> {
  const lines = (await (await fetch(metricsUrl)).text()).split("\n");
  const sumOf = (name: string): number =>
    lines
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  return Object.fromEntries(names.map((name) => [name, sumOf(name)]));
}

/** Reads all samples of series with a UUID from a Prometheus, and makes expositions of those with one time and target again. */
export async function dataOf(url: string, clusterId: string): Promise<PrometheusData> {
  const query = encodeURIComponent('{UUID!=""}[1h]');
  const answer = (await (await fetch(`${url}/api/v1/query?query=${query}`)).json()) as {
    data: { result: RawSeries[] };
  };
  const lines = new Map<string, string[]>();
  let samples = 0;
  for (const { metric, values } of answer.data.result) {
    const { __name__: name = "", ...labels } = metric;
    const shown = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(text)}`);
    for (const [seconds, value] of values) {
      const key = `${labels["instance"]} ${Math.round(seconds * 1000)}`;
      const ofKey = lines.get(key) ?? [];
      lines.set(key, ofKey);
      ofKey.push(`${name}{${shown.join()}} ${value}`);
      samples += 1;
    }
  }
  return { samples, records: recordsOf(lines, clusterId) };
}

function recordsOf(expositions: ReadonlyMap<string, readonly string[]>, clusterId: string): Map<string, MergedRecord> {
  const readers = new Map<string, ExpositionReader>();
  const texts = new SharedTexts();
  const records = new Map<string, MergedRecord>();
  for (const [key, lines] of expositions) {
    const [target = "", timeMs = ""] = key.split(" ");
    const reader = readers.get(target) ?? new ExpositionReader({ target, host: "", clusterId, labels: {} }, texts);
    readers.set(target, reader);
    const builder = new BatchBuilder();
    reader.read({ bytes: new TextEncoder().encode(`${lines.join("\n")}\n`) }, Number(timeMs), builder);
    for (const record of recordsIn(builder.build())) records.set(`${record.gpu.uuid} ${record.timeMs}`, record);
  }
  return records;
}
