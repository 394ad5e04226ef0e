import { describe, expect, test } from "bun:test";
import { spellingOf } from "../../src/domain/dialects/spelling-of.ts";
import { readMeasuredValue } from "../../src/domain/measured-value.ts";

function read(metric: string, text: string) {
  return readMeasuredValue(spellingOf(metric) ?? metric, text);
}

const taken: readonly (readonly [metric: string, text: string, value: number])[] = [
  ["gpu_utilization", "85 %", 85],
  ["gpu_utilization", "85.5%", 85.5],
  ["DCGM_FI_DEV_GPU_UTIL_RATIO", "0.5 %", 0.5],
  ["sm_active", "29 %", 0.29],
  ["memory_used_mb", "1024 MiB", 1024],
  ["memory_used_mb", "1.5GiB", 1536],
  ["memory_used_mb", "512 KiB", 0.5],
  ["memory_used_mb", "80 Gi", 81920],
  ["DCGM_FI_DEV_FB_USED_BYTES", "2 MiB", 2],
  ["DCGM_FI_DEV_FB_USED_BYTES", "2097152", 2],
  ["power_draw", "300.25 W", 300.25],
  ["power_draw", "98140 mW", 98.14],
  ["power_draw", "0.29 kW", 290],
  ["temperature", "45 C", 45],
  ["memory_temperature", "-3 °C", -3],
  ["sm_clock_mhz", "1.98 GHz", 1980],
  ["total_energy_mj", "12.5 J", 12500],
  ["power_violation_ns", "3 ms", 3_000_000],
  ["pcie_tx_bytes", "2 KiB/s", 2048],
  ["pcie_replay_total", "3 retries", 3],
];

describe("a number with a unit is converted exactly to the unit of its metric", () => {
  test.each(taken)("%s: %s", (metric, text, value) => {
    expect(read(metric, text)).toBe(value);
  });
});

const refused: readonly (readonly [metric: string, text: string, reason: string, message: string])[] = [
  [
    "memory_used_mb",
    "1024 MB",
    "invalid_value",
    'has the unit "MB", which is not converted; write it in MiB or GiB or TiB, or alone in MiB.',
  ],
  ["temperature", "113 F", "invalid_value", 'has the unit "F"'],
  [
    "power_draw",
    "45 C",
    "invalid_value",
    'The value "45 C" of power_draw has the unit "C", which is not converted; write it in W or mW or kW, or alone in watts.',
  ],
  ["xid_error", "31 status", "invalid_value", "write the number alone (XID code)"],
  [
    "my_metric",
    "38 %",
    "invalid_value",
    'The value "38 %" of "my_metric" has the unit "%", but no unit is known for this metric; write the number alone.',
  ],
  [
    "gpu_utilization",
    "101 %",
    "value_out_of_range",
    'The value "101 %" of gpu_utilization is outside its range: 0 to 100 percent.',
  ],
  ["power_draw", "6 kW", "value_out_of_range", "0 to 5000 watts"],
  ["power_draw", "1,5 kW", "invalid_value", "has a comma, which is a decimal point only in a file whose columns are"],
  ["power_draw", "1.234,56", "invalid_value", "has separators of thousands; write it without them"],
  ["power_draw", "1,234.56 W", "invalid_value", "has separators of thousands"],
  ["sm_clock_mhz", "1.410.000", "invalid_value", "has separators of thousands"],
  ["sm_clock_mhz", "1,410", "invalid_value", "has a comma"],
  ["power_draw", "W", "invalid_value", "is not a decimal number"],
  ["memory_used_mb", "0x1F MiB", "invalid_value", "is not a decimal number"],
];

test.each(refused)("%s: %s is refused with its cause", (metric, text, reason, message) => {
  expect(read(metric, text)).toMatchObject({ reason, message: expect.stringContaining(message) as string });
});

test("a blank of DCGM with a unit is missing, by the width of its field, and so is a text for no value", () => {
  expect(read("temperature", "2147483632 C")).toBe("missing");
  expect(read("power_draw", "140737488355328 W")).toBe("missing");
  for (const text of ["N/A W", "[N/A] W", "nan kW", "- mW"])
    expect([text, read("power_draw", text)]).toEqual([text, "missing"]);
  expect(read("power_draw", "N/A MiB")).toMatchObject({ reason: "invalid_value" });
  expect(read("total_energy_mj", "2147483632 mJ")).toBe(2147483632);
});
