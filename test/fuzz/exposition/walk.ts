import { ExpositionScanner } from "../../../src/pipeline/source/exposition/exposition-scanner.ts";
import {
  type ExpositionFormat,
  type ScannedSeries,
  usualLimits,
} from "../../../src/pipeline/source/exposition/scanned-exposition.ts";
import { shownSample } from "../../support/exposition-scan.ts";
import { linesOf, referenceLine } from "../../support/reference-exposition.ts";
import { mutated } from "../mutate.ts";

const gpu = (at: number): string =>
  `gpu="${at}",UUID="GPU-22dbdd79-f55a-92a8-aa39-32219${at}",modelName="NVIDIA H100 80GB HBM3",Hostname="node-1"`;

/** Good lines of every kind. */
const goodLines = [
  "# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).",
  "# TYPE DCGM_FI_DEV_GPU_TEMP gauge",
  `DCGM_FI_DEV_GPU_TEMP{${gpu(0)}} 26`,
  `DCGM_FI_DEV_GPU_TEMP{${gpu(1)}} 28`,
  `DCGM_FI_DEV_POWER_USAGE{${gpu(0)},pod="a\\"b\\\\c\\nd"} 67.351000\r`,
  `DCGM_FI_DEV_POWER_USAGE{${gpu(1)}} 1752871354.5 1752871354500`,
  '{"gpu.temp","host.name"="Zürich"} -0.5e-3',
  "",
  "up 1",
  "upper -0",
  'latency_bucket{le="+Inf",} 17 # {trace_id="1"} 0.5 1752871354.5',
  "idle NaN",
].map((line) => Buffer.from(line));

/** What a scan has given for each line: a sample as text, `rejected`, or an empty text. */
class Outcomes {
  readonly ofLines: string[] = [];
  private readonly names = new WeakMap<ScannedSeries, string>();

  constructor(private readonly scanner: ExpositionScanner) {}

  scan(bytes: Buffer, format: ExpositionFormat): number {
    const { ofLines, names, scanner } = this;
    ofLines.length = 0;
    const put = (text: string): void => {
      while (ofLines.length < scanner.line) ofLines.push("");
      if (ofLines[scanner.line - 1] !== "") throw new Error(`line ${scanner.line} was given twice`);
      ofLines[scanner.line - 1] = text;
    };
    const sink = {
      sample: (series: ScannedSeries, value: number, timestampMs: number | undefined) => {
        const name = names.get(series) ?? shownSample({ series, value: 0, timestampMs: undefined }).slice(0, -1);
        names.set(series, name);
        const shown = Object.is(value, -0) ? "-0" : String(value);
        put(`${name}${shown}${timestampMs === undefined ? "" : ` @${timestampMs}`}`);
      },
      rejected: () => put("rejected"),
    };
    return scanner.scan(bytes, sink, format).lines;
  }
}

/** Scans expositions of good lines of which one is mutated, all by one scanner, and compares the outcome of every line with that of
 *  the reference. The reference sees each line alone, so a line that changes the outcome of another one is found. */
export class ExpositionLines {
  /** The lines that were rejected so far. */
  rejected = 0;
  private readonly outcomes = new Outcomes(new ExpositionScanner({ ...usualLimits, maxSeries: 200 }));
  private readonly good = { text: goodOutcomes("text"), openmetrics: goodOutcomes("openmetrics") };

  /** Scans one exposition. @returns a line's outcome that is not what the reference says; undefined if all are */
  next(random: () => number): string | undefined {
    const { good, outcomes } = this;
    const format = random() < 0.5 ? "text" : "openmetrics";
    const place = Math.floor(random() * goodLines.length);
    const bad = mutated(goodLines[place] ?? Buffer.alloc(0), random);
    // the reference has no limits
    if (bad.length > maxLineBytes) return undefined;
    const before = goodLines.slice(0, place).map((line) => Buffer.concat([line, lineEnd]));
    const after = goodLines.slice(place + 1).map((line) => Buffer.concat([line, lineEnd]));
    const expected = [
      ...good[format].slice(0, place),
      // only the first line may begin with a BOM
      ...(place === 0
        ? linesOf(Buffer.concat([bad, lineEnd]))
        : linesOf(Buffer.concat([lineEnd, bad, lineEnd])).slice(1)
      ).map((line) => referenceLine(line, format)),
      ...good[format].slice(place + 1),
    ];
    outcomes.scan(Buffer.concat([...before, bad, lineEnd, ...after]), format);
    this.rejected += outcomes.ofLines.filter((outcome) => outcome === "rejected").length;
    const isSame = expected.every((outcome, line) => (outcomes.ofLines[line] ?? "") === outcome);
    if (isSame && outcomes.ofLines.length <= expected.length) return undefined;
    return JSON.stringify({ format, bad: bad.toString("latin1"), expected, given: outcomes.ofLines }, null, 2);
  }
}

/** The shortest of the scanner's limits of a text. */
const maxLineBytes = Math.min(usualLimits.maxNameBytes, usualLimits.maxLabelBytes);
const lineEnd = Buffer.from("\n");

function goodOutcomes(format: ExpositionFormat): string[] {
  return goodLines.map((line) => referenceLine(line, format));
}
