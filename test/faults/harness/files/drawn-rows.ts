import { gpuCount, hourMs, metrics, rowOf, spoiledEvery, startMs } from "../ledger.ts";
import type { FileRow } from "./versions.ts";

/** Which rows to draw. */
export interface RowsToDraw {
  /** Seconds after the first one of all files; negative before it. */
  readonly seconds: readonly number[];
  /** By default those of all files. */
  readonly gpus?: readonly number[];
}

export interface DrawnRowsOptions {
  readonly seed: number;
  readonly random: () => number;
  /** The seconds are of so many hours in turn. */
  readonly hours: number;
}

/** As long as labels of a cluster with many of them: so a file of few rows has several ranges, which streamers open one after another. */
const longLabel = `,notes=""${"-".repeat(500)}"""\n`;

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index);

/** Draws rows of files. Values are random, so that two files that have a value of one GPU, instant and metric almost certainly
 *  contradict each other. */
export class DrawnRows {
  constructor(private readonly options: DrawnRowsOptions) {}

  /** The rows of these seconds, by second, metric and GPU. */
  draw({ seconds, gpus = range(0, gpuCount) }: RowsToDraw): FileRow[] {
    const fields = Object.entries(metrics);
    return seconds.flatMap((second) =>
      fields.flatMap(([field, metric]) => gpus.map((gpu) => this.row({ second, field, metric, gpu }))),
    );
  }

  private row(what: {
    readonly second: number;
    readonly field: string;
    readonly metric: string;
    readonly gpu: number;
  }): FileRow {
    const { seed, random, hours } = this.options;
    const { second, field, metric, gpu } = what;
    const uuid = `GPU-${seed}-${gpu}`;
    const timeMs = startMs + (Math.abs(second) % hours) * hourMs + second * 1000;
    const drawn = Math.floor(random() * 100_000) / 1000;
    const isSpoiled = random() * spoiledEvery < 1;
    const short = rowOf({ timeMs, field, gpu, uuid, value: isSpoiled ? "not-a-number" : String(drawn) });
    const text = short.replace(/"\n$/, longLabel);
    return { text, second, key: `${uuid} ${timeMs}`, metric, value: isSpoiled ? undefined : drawn };
  }
}

/** Consecutive seconds. */
export const secondsFrom = range;
