import { expect, test } from "bun:test";
import { UnusableSource } from "../../src/domain/errors.ts";
import { batchesOf, openCsvSource, rejectedOf, samplesOf, tallyOf } from "../support/csv-reading.ts";
import { sharedData } from "../support/shared-data.ts";

interface Expected {
  readonly rows: number;
  readonly samples: number;
  readonly missing?: number;
  readonly duplicates?: number;
  readonly blankLines?: number;
  /** Line, reason and field of each rejected row. */
  readonly rejected?: readonly (readonly [line: number, reason: string, field: string])[];
}

const expectations: Readonly<Record<string, Expected>> = {
  "m01_bom_crlf.csv": { rows: 5, samples: 5 },
  "m02_bom_quoted_header.csv": { rows: 5, samples: 5 },
  "m03_blank_lines.csv": { rows: 4, samples: 3, blankLines: 3, rejected: [[7, "wrong_column_count", ""]] },
  "m04_ragged.csv": {
    rows: 4,
    samples: 2,
    rejected: [
      [3, "wrong_column_count", ""],
      [4, "wrong_column_count", ""],
    ],
  },
  "m06_renamed_header.csv": { rows: 1, samples: 1 },
  "m07_bad_values.csv": {
    rows: 23,
    samples: 2, // " 75" and "85.5 %"
    missing: 11, // empty, NaN, N/A, [N/A], [Not Supported], [Unknown Error], four of DCGM's blanks, and 4294967295 as a percentage
    rejected: [
      [4, "invalid_value", "value"], // +Inf
      [5, "invalid_value", "value"], // -Inf
      [10, "invalid_value", "value"], // 1,234
      [11, "invalid_value", "value"], // 0x1F
      [12, "invalid_value", "value"], // 1e309
      [15, "value_out_of_range", "value"], // -1
      [16, "value_out_of_range", "value"], // 101
      [18, "value_out_of_range", "value"], // 808334905
      [19, "value_out_of_range", "value"], // 218322032
      [24, "invalid_value", "value"], // invalid
    ],
  },
  "m08_bad_timestamps.csv": {
    rows: 12,
    samples: 2, // six good rows have two instants: :34.000 and :34.123
    duplicates: 4,
    rejected: [
      [2, "invalid_timestamp", "timestamp"], // invalid-timestamp
      [3, "invalid_timestamp", "timestamp"], // empty
      [9, "invalid_timestamp", "timestamp"], // 30 February
      [10, "timestamp_out_of_range", "timestamp"], // 9999
      [11, "timestamp_out_of_range", "timestamp"], // 0001
      [12, "invalid_timestamp", "timestamp"], // second 60
    ],
  },
  "m09_bare_quote_labels.csv": { rows: 2, samples: 1, rejected: [[2, "invalid_gpu_id", "gpu_id"]] },
  "m10_unterminated_quote.csv": { rows: 4, samples: 3, rejected: [[3, "malformed_quotes", ""]] },
};

for (const [name, expected] of Object.entries(expectations)) {
  const path = sharedData("malformed", name);
  for (const fastLane of [true, false]) {
    test.skipIf(path === undefined)(
      `${name} gives its good rows, and a reason for each rejected one (fast lane ${fastLane})`,
      async () => {
        const batches = await batchesOf(await openCsvSource(path ?? "", { fastLane }));
        expect({
          rows: tallyOf(batches, "rows"),
          samples: samplesOf(batches).length,
          missing: tallyOf(batches, "missing"),
          duplicates: tallyOf(batches, "duplicates"),
          blankLines: tallyOf(batches, "blankLines"),
          rejected: rejectedOf(batches).map(({ line, reason, field }) => [line, reason, field]),
        }).toEqual({ missing: 0, duplicates: 0, blankLines: 0, rejected: [], ...expected } as never);
      },
    );
  }
}

const unusable = sharedData("malformed", "m05_missing_uuid_column.csv");
test.skipIf(unusable === undefined)(
  "m05_missing_uuid_column.csv is refused with the names of the missing and the found columns",
  async () => {
    const opening = openCsvSource(unusable ?? "");
    await expect(opening).rejects.toBeInstanceOf(UnusableSource);
    await expect(opening).rejects.toThrow('missing uuid, hostname, value; found "timestamp", "metric_name", "gpu_id"');
  },
);

const bareQuotes = sharedData("malformed", "m09_bare_quote_labels.csv");
test.skipIf(bareQuotes === undefined)(
  "a rejection has the position, the reason, the accepted values and the row",
  async () => {
    const [rejected] = rejectedOf(await batchesOf(await openCsvSource(bareQuotes ?? "")));
    const uuid = "GPU-0aba4c65-be7d-8418-977a-c950c14b989a";
    expect(rejected).toEqual({
      line: 2,
      byte: 101,
      reason: "invalid_gpu_id",
      field: "gpu_id",
      value: uuid,
      message: `The gpu_id "${uuid}" is not a whole number from 0 to 1000000 in at most 7 digits.`,
      raw: `2024-01-01T00:00:00Z,temperature,${uuid},0,${uuid},A100,host1,container1,pod1,ns1,42.5,key="value"`,
    });
  },
);

interface Dialect {
  readonly rows?: number;
  readonly samples?: number;
  /** A part of the error for a file without the required columns. */
  readonly refusal?: string;
}

const dialects: Readonly<Record<string, Dialect>> = {
  "other-dialects/aamir_sample.csv": { rows: 4, samples: 4 },
  "other-dialects/arnab_test_sample.csv": { rows: 9, samples: 9 },
  "other-dialects/dilip_test_minimal.csv": { rows: 2, samples: 16 },
  "other-dialects/dilip_test_sample.csv": { rows: 5, samples: 5 },
  "other-dialects/harish_dcgm_metrics.csv": { rows: 3, samples: 3 },
  "other-dialects/harish_sample_gpu_data.csv": { refusal: "missing timestamp, uuid, hostname;" },
  "other-dialects/harish_telemetry.csv": { refusal: "missing timestamp, uuid, hostname;" },
  "nanogpt-8gpu-run2.csv": { refusal: "missing gpu_id, uuid, hostname, " },
};

for (const [name, expected] of Object.entries(dialects)) {
  const path = sharedData("csv", ...name.split("/"));
  const behaviour =
    expected.refusal === undefined ? "is read completely" : "is refused with the names of the missing columns";
  test.skipIf(path === undefined)(`${name} ${behaviour}`, async () => {
    if (expected.refusal !== undefined) {
      await expect(openCsvSource(path ?? "")).rejects.toThrow(expected.refusal);
      return;
    }
    const batches = await batchesOf(await openCsvSource(path ?? ""));
    expect(rejectedOf(batches)).toEqual([]);
    expect(tallyOf(batches, "rows")).toBe(expected.rows ?? NaN);
    expect(tallyOf(batches, "samples")).toBe(expected.samples ?? NaN);
  });
}

const real = sharedData("csv", "dcgm_metrics_20250718_134233.csv");
for (const fastLane of [true, false]) {
  test.skipIf(real === undefined)(`the real CSV gives 2,470 samples of 247 GPUs (fast lane ${fastLane})`, async () => {
    const batches = await batchesOf(await openCsvSource(real ?? "", { fastLane }));
    const samples = samplesOf(batches);
    const gpus = batches.flatMap(({ batch }) => batch.gpus);
    expect(samples.length).toBe(2470);
    expect(rejectedOf(batches)).toEqual([]);
    expect(new Set(gpus.map(({ uuid }) => uuid)).size).toBe(247);
    expect(new Set(gpus.map(({ hostname }) => hostname)).size).toBe(31);
    expect(new Set(samples.map(({ uuid, timeMs }) => `${uuid} ${timeMs}`)).size).toBe(988);
    expect(gpus[0]).toMatchObject({ driverVersion: "535.129.03", properties: { job: "dgx_dcgm_exporter" } });
  });
}
