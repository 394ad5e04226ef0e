import { createRequire } from "node:module";
import { ExpositionScanner } from "../src/pipeline/source/exposition/exposition-scanner.ts";
import { type ExpositionSink, usualLimits } from "../src/pipeline/source/exposition/scanned-exposition.ts";
import { SharedTexts } from "../src/pipeline/source/labels/shared-texts.ts";
import { expositions, samplesOfExposition } from "./exposition/expositions.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

const require = createRequire(import.meta.url);

/** The part of the package that the bench uses; the package has no types. */
type Parse = (text: string) => readonly { readonly metrics: readonly unknown[] }[];
const parsePrometheusTextFormat = require("parse-prometheus-text-format") as Parse;

const scrapes = 50;

/** Measures how many samples per second the scanner reads from a target that it knows, from one that it sees for the first time, and
 *  how many parse-prometheus-text-format reads, from the same expositions.
 *  Usage: bun bench/exposition.ts [rounds] */
function main(): void {
  const rounds = Number(process.argv[2] ?? 5);
  const texts = expositions(scrapes);
  const answers = texts.map((text) => Buffer.from(text));
  const megabytes = (answers[0]?.length ?? 0) / 1e6;
  print(
    `${scrapes} scrapes of ${samplesOfExposition} samples (${megabytes.toFixed(2)} MB), 8 GPUs, median of ${rounds} rounds`,
  );
  const shared = new SharedTexts();
  const known = new ExpositionScanner(usualLimits, shared);
  const measurements = [
    ["parse-prometheus-text-format 1.1.1", () => sum(texts, parsed)],
    [
      "scanner, first scrape of a target",
      () => sum(answers, (bytes) => scanned(new ExpositionScanner(usualLimits, shared), bytes)),
    ],
    ["scanner, same target again", () => sum(answers, (bytes) => scanned(known, bytes))],
  ] as const;
  const [peer = NaN, ...rates] = measurements.map(([name, run]) => measure(name, rounds, run));
  const [first, again] = rates.map((rate) => `${(rate / peer).toFixed(0)}x`);
  print(`scanner / parse-prometheus-text-format: ${first} for the first scrape, ${again} for the others`);
}

function measure(name: string, rounds: number, run: () => number): number {
  const rates: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const startedAtMs = performance.now();
    const samples = run();
    if (samples !== scrapes * samplesOfExposition) throw new Error(`${name} read ${samples} samples`);
    // the first round warms up
    if (round > 0) rates.push((samples / (performance.now() - startedAtMs)) * 1000);
  }
  print(`${name.padEnd(36)} ${grouped(median(rates)).padStart(12)} samples/s`);
  return median(rates);
}

function sum<Item>(items: readonly Item[], samplesOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + samplesOf(item), 0);
}

function parsed(text: string): number {
  return sum(parsePrometheusTextFormat(text), ({ metrics }) => metrics.length);
}

/** Uses every value, so that no part of the scan can be left out. */
function scanned(scanner: ExpositionScanner, bytes: Uint8Array): number {
  let samples = 0;
  const sink: ExpositionSink = {
    sample: (series, value) => {
      if (series.labels.length > 0 && value >= 0) samples += 1;
    },
    rejected: ({ message }) => {
      throw new Error(message);
    },
  };
  scanner.scan(bytes, sink);
  return samples;
}

main();
