import { firstMs, type Fleet, stepMs } from "./data.ts";

/** A question that the gateway and its peers answer over HTTP. An answer is parsed into values by name. The peers' values must
 *  agree with the gateway's within the tolerance. */
export interface Question {
  readonly name: string;
  /** The path and query of the request to the gateway.
   *  @param run  the number of the run, which selects the GPU of a question about one GPU */
  readonly ours: (run: number) => string;
  /** The path and query of the request to VictoriaMetrics or Prometheus, for the same run. */
  readonly theirs: (run: number) => string;
  readonly valuesOfOurs: (answer: string) => Map<string, number>;
  readonly valuesOfTheirs: (answer: string) => Map<string, number>;
  /** The relative difference that is allowed; with 0, values must be identical. */
  readonly tolerance: number;
}

interface OurAnswer {
  readonly data: readonly Readonly<Record<string, unknown>>[];
}

interface TheirAnswer {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: readonly [seconds: number, value: string];
      readonly values?: readonly (readonly [seconds: number, value: string])[];
    }[];
  };
}

const atSeconds = (ms: number): string => (ms / 1000).toFixed(3);
const iso = (ms: number): string => new Date(ms).toISOString();

/** The questions about a fleet. */
export function questionsOf(fleet: Fleet): Question[] {
  const metrics = [...(fleet.batches[0]?.columns.keys() ?? [])];
  return [
    lastHundred(fleet, metrics),
    latest(fleet, metrics),
    averageByHost({ withExpected: false }),
    averageByHost({ withExpected: true }),
  ];
}

function lastHundred({ gpus, instants }: Fleet, metrics: readonly string[]): Question {
  const endMs = firstMs + (instants - 1) * stepMs;
  const uuidOf = (run: number): string => `GPU-${String((run * 37) % gpus).padStart(8, "0")}`;
  return {
    name: "last 100 records of one GPU",
    ours: (run) => `/api/v1/gpus/${uuidOf(run)}/telemetry?limit=100`,
    theirs: (run) => instantQuery(`{uuid="${uuidOf(run)}"}[${(99 * stepMs) / 1000 + 1}s]`, endMs),
    valuesOfOurs: (answer) =>
      valuesOfRecords(answer, metrics, ({ timestamp }) => String(Date.parse(String(timestamp)))),
    valuesOfTheirs: (answer) => valuesOfSeries(answer, ({ __name__: name }, ms) => `${String(name)} ${String(ms)}`),
    tolerance: 0,
  };
}

function latest({ gpus, instants }: Fleet, metrics: readonly string[]): Question {
  const endMs = firstMs + (instants - 1) * stepMs;
  return {
    name: `newest record of ${gpus} GPUs`,
    ours: () => `/api/v1/telemetry/latest?limit=${gpus}`,
    theirs: () => instantQuery('{uuid!=""}', endMs),
    valuesOfOurs: (answer) => valuesOfRecords(answer, metrics, ({ uuid }) => String(uuid)),
    valuesOfTheirs: (answer) => valuesOfSeries(answer, ({ __name__: name, uuid }) => `${String(name)} ${String(uuid)}`),
    tolerance: 0,
  };
}

/** @param withExpected whether the gateway also says how many records were due; the peers cannot */
function averageByHost({ withExpected }: { readonly withExpected: boolean }): Question {
  const metric = "temperature";
  const [fromMs, lastMs] = [firstMs, firstMs + 59 * 60_000];
  // each window ends just before the first sample of the next minute
  const sums = ["sum_over_time", "count_over_time"].map((sum) => `sum(${sum}(${metric}[1m])) by (hostname)`);
  const window = `start=${atSeconds(fromMs + 59_999)}&end=${atSeconds(lastMs + 59_999)}&step=60s&nocache=1`;
  return {
    name: `1-minute average by host over 1 h${withExpected ? ", with the expected records" : ""}`,
    ours: () =>
      `/api/v1/telemetry/aggregates?group_by=host&metrics=${metric}&resolution=1m&limit=100000&expected=${withExpected}` +
      `&start_time=${iso(fromMs)}&end_time=${iso(lastMs)}`,
    theirs: () => `/api/v1/query_range?query=${encodeURIComponent(sums.join(" / "))}&${window}`,
    valuesOfOurs: (answer) =>
      new Map(
        (JSON.parse(answer) as OurAnswer).data.map((row) => {
          const { avg } = (row["metrics"] as Record<string, { avg: number }>)[metric] ?? { avg: NaN };
          return [
            `${String((row["group"] as Record<string, unknown>)["hostname"])} ${Date.parse(String(row["timestamp"]))}`,
            avg,
          ] as const;
        }),
      ),
    valuesOfTheirs: (answer) => valuesOfSeries(answer, ({ hostname }, ms) => `${String(hostname)} ${ms - 59_999}`),
    // each server adds the values in its own order
    tolerance: 1e-9,
  };
}

function instantQuery(query: string, timeMs: number): string {
  return `/api/v1/query?query=${encodeURIComponent(query)}&time=${atSeconds(timeMs)}&nocache=1`;
}

function valuesOfRecords(
  answer: string,
  metrics: readonly string[],
  keyOf: (record: Readonly<Record<string, unknown>>) => string,
): Map<string, number> {
  const values = new Map<string, number>();
  for (const record of (JSON.parse(answer) as OurAnswer).data) {
    for (const name of metrics) if (name in record) values.set(`${name} ${keyOf(record)}`, Number(record[name]));
  }
  return values;
}

function valuesOfSeries(
  answer: string,
  keyOf: (labels: Readonly<Record<string, string>>, timeMs: number) => string,
): Map<string, number> {
  const values = new Map<string, number>();
  for (const { metric, value, values: several } of (JSON.parse(answer) as TheirAnswer).data.result) {
    for (const [seconds, text] of several ?? (value === undefined ? [] : [value])) {
      values.set(keyOf(metric, Math.round(seconds * 1000)), Number(text));
    }
  }
  return values;
}
