import type { RejectedInput } from "../../src/domain/batch.ts";
import { ExpositionScanner } from "../../src/pipeline/source/exposition/exposition-scanner.ts";
import type {
  ExpositionFormat,
  ScannedExposition,
  ScannedSeries,
} from "../../src/pipeline/source/exposition/scanned-exposition.ts";

/** A sample with the place of its line. */
export interface ReceivedSample {
  readonly series: ScannedSeries;
  readonly value: number;
  readonly timestampMs: number | undefined;
  readonly line: number;
}

/** What a sink has received, and what the scan returned. */
export interface ReceivedScan extends ScannedExposition {
  readonly received: readonly ReceivedSample[];
  readonly rejected: readonly RejectedInput[];
}

/** Scans an exposition and collects what the sink receives. */
export function scanAll(
  input: string | Uint8Array,
  scanner = new ExpositionScanner(),
  format?: ExpositionFormat,
): ReceivedScan {
  const received: ReceivedSample[] = [];
  const rejected: RejectedInput[] = [];
  const scanned = scanner.scan(
    typeof input === "string" ? Buffer.from(input) : input,
    {
      sample: (series, value, timestampMs) => received.push({ series, value, timestampMs, line: scanner.line }),
      rejected: (rejection) => rejected.push(rejection),
    },
    format,
  );
  return { ...scanned, received, rejected };
}

/** A sample as one text: `name{a="1"} 5 @1752871354500`. */
export function shownSample({ series, value, timestampMs }: Omit<ReceivedSample, "line">): string {
  const labels = series.labels.map(([name, text]) => `${name}=${JSON.stringify(text)}`).join(",");
  const shownValue = Object.is(value, -0) ? "-0" : String(value);
  return `${series.name}{${labels}} ${shownValue}${timestampMs === undefined ? "" : ` @${timestampMs}`}`;
}
