import { randomFrom } from "../../../support/random.ts";

/** A body, and what is in it. */
export interface PushedBatch {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
  readonly rows: number;
}

/** What was pushed. */
export interface PushedContent {
  /** `uuid time_ms` -> value of gpu_utilization. */
  readonly records: ReadonlyMap<string, number>;
  readonly rows: number;
  readonly spoiled: number;
}

const startMs = Date.UTC(2025, 6, 18, 20, 42, 34);
const gpuCount = 500;
/** One record in about so many is spoiled. */
const spoiledEvery = 401;
const forms = ["application/json", "application/x-ndjson", "text/csv"] as const;
const columns = ["timestamp", "uuid", "gpu_id", "hostname", "gpu_utilization"];

interface Row {
  readonly timestamp: string;
  readonly uuid: string;
  readonly gpu_id: number;
  readonly hostname: string;
  readonly gpu_utilization: number;
}

/** Makes batches of random size and form, and remembers what is in them. */
export class PushedBatches {
  private readonly random: () => number;
  private readonly records = new Map<string, number>();
  private rows = 0;
  private spoiled = 0;

  constructor(
    private readonly seed: number,
    private readonly total: number,
  ) {
    this.random = randomFrom(seed);
  }

  get content(): PushedContent {
    const { records, rows, spoiled } = this;
    return { records, rows, spoiled };
  }

  /** @returns undefined when all records are in batches */
  next(maxRows: number): PushedBatch | undefined {
    const count = Math.min(this.total - this.rows, 1 + Math.floor(this.random() * maxRows));
    if (count <= 0) return undefined;
    const rows = Array.from({ length: count }, () => this.row());
    const type = forms[Math.floor(this.random() * forms.length)] as (typeof forms)[number];
    const bytes = Buffer.from(textOf(rows, type));
    const packing = this.random();
    const named = this.random() < 0.5 ? { "idempotency-key": crypto.randomUUID() } : undefined;
    const packed: readonly [Uint8Array<ArrayBuffer>, Record<string, string>] =
      packing < 0.3
        ? [Bun.gzipSync(bytes), { "content-encoding": "gzip" }]
        : packing < 0.6
          ? [Bun.zstdCompressSync(bytes) as Uint8Array<ArrayBuffer>, { "content-encoding": "zstd" }]
          : [bytes, {}];
    return { body: packed[0], headers: { "content-type": type, ...packed[1], ...named }, rows: count };
  }

  private row(): Row {
    const gpu = this.rows % gpuCount;
    const timeMs = startMs + Math.floor(this.rows / gpuCount) * 1000;
    const uuid = `GPU-${this.seed}-${gpu}`;
    const value = Math.floor(this.random() * 100_000) / 1000;
    const isSpoiled = this.rows % spoiledEvery === spoiledEvery - 1;
    this.rows += 1;
    if (isSpoiled) this.spoiled += 1;
    else this.records.set(`${uuid} ${timeMs}`, value);
    const timestamp = isSpoiled ? "never" : new Date(timeMs).toISOString();
    return { timestamp, uuid, gpu_id: gpu % 8, hostname: `host-${Math.floor(gpu / 8)}`, gpu_utilization: value };
  }
}

function textOf(rows: readonly Row[], type: (typeof forms)[number]): string {
  if (type === "application/json") return JSON.stringify(rows);
  if (type === "application/x-ndjson") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  return [columns.join(), ...rows.map((row) => Object.values(row).join())].join("\n");
}
