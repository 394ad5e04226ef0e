import type { DeviceShares } from "../../src/pipeline/source/simulated/devices/device-shares.ts";

/** The options that choose the shares of devices, for parseArgs. */
export const shareOptions = {
  mig: { type: "string", default: "0" },
  "time-slicing": { type: "string", default: "0" },
  vgpu: { type: "string", default: "0" },
  series: { type: "string", default: "0" },
} as const;

export const shareUsage = `Shares of the GPUs, 0 to 1 (0), of which the exporter writes more than one row for a metric; --mig, --time-slicing and --vgpu
exclude each other:

  --mig SHARE           GPUs with MIG instances, which are created, destroyed and cut to other profiles
  --time-slicing SHARE  GPUs that several pods share
  --vgpu SHARE          GPUs that several virtual GPUs share
  --series SHARE        GPUs with values for each NVLink, XID code, clock event and health watch
`;

/** @throws TypeError that says which share is not usable */
export function sharesOf(values: Readonly<Record<"mig" | "time-slicing" | "vgpu" | "series", string>>): DeviceShares {
  const shares = {
    mig: share("--mig", values.mig),
    timeSlicing: share("--time-slicing", values["time-slicing"]),
    vgpu: share("--vgpu", values.vgpu),
    series: share("--series", values.series),
  };
  // 0.1 + 0.2 + 0.7 is more than 1 by a rounding error
  if (shares.mig + shares.timeSlicing + shares.vgpu < 1 + 1e-9) return shares;
  throw new TypeError("--mig, --time-slicing and --vgpu are not usable: expected a sum of at most 1");
}

function share(name: string, text: string): number {
  const value = /^(?:\d+(?:\.\d+)?|\.\d+)$/.test(text) ? Number(text) : NaN;
  if (value >= 0 && value <= 1) return value;
  throw new TypeError(`${name} ${JSON.stringify(text)} is not usable: expected a share from 0 to 1, such as 0.25`);
}

/** @throws TypeError if the text is no whole number in this range */
export function wholeNumber(name: string, text: string, [min, max]: readonly [number, number]): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new TypeError(`${name} ${JSON.stringify(text)} is not usable: expected a whole number from ${min} to ${max}`);
}

const millisecondsPerUnit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads a time from 100ms to 1h. @throws TypeError if the text is not such a time */
export function milliseconds(name: string, text: string): number {
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const value = Math.round(Number(amount) * (millisecondsPerUnit[unit] ?? NaN));
  if (value >= 100 && value <= 3_600_000) return value;
  throw new TypeError(
    `${name} ${JSON.stringify(text)} is not usable: expected a time with its unit (ms, s, m, h) from 100ms to 1h`,
  );
}
