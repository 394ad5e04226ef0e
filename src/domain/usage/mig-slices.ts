import { isMigInstance, migInstanceOf } from "../mig-instance.ts";

/** A millisecond of a whole GPU has so many parts: the time of each MIG instance is a whole number of them, whether its GPU has 7 compute
 *  slices or 4. */
export const partsPerMs = 28;

const slicesDefault = 7;
/** Models that have 4 compute slices. */
const fourSlices = /\bA30\b|RTX PRO [56]000/i;
const profileForm = /^(?:(\d+)c\.)?(\d+)g\b/;

/** A profile in the name of a model, as nvidia-smi and some exporters have it: `NVIDIA A100-SXM4-80GB MIG 1g.10gb`. */
const inModelName = /\bMIG (\S+)$/;

/** What is known of a device's size. */
export interface DeviceSize {
  readonly uuid: string;
  readonly modelName: string;
  /** The exporter's `GPU_I_PROFILE`, where the uuid does not have it; empty if the input has none. */
  readonly profile: string;
}

/** The share of a device in its GPU. */
export interface DeviceShareOfGpu {
  /** `partsPerMs` for a GPU. */
  readonly parts: number;
  /** False for a MIG instance whose profile is not known: it counts as one slice, the least that an instance has. */
  readonly isSized: boolean;
}

/** Finds the share of a device in its GPU; for a MIG instance, its compute slices of those that the model has. A compute instance
 *  (`1c.3g.20gb`) counts by its own slices. */
export function shareOfGpu({ uuid, modelName, profile }: DeviceSize): DeviceShareOfGpu {
  if (!isMigInstance(uuid)) return { parts: partsPerMs, isSized: true };
  const slices = fourSlices.test(modelName) ? 4 : slicesDefault;
  const known = [migInstanceOf(uuid)?.profile, profile, inModelName.exec(modelName)?.[1]];
  const [, compute, graphics] = known.map((text) => profileForm.exec(text ?? "")).find((found) => found !== null) ?? [];
  const own = Number(compute ?? graphics ?? 1);
  const parts = (Math.min(slices, Math.max(1, own)) * partsPerMs) / slices;
  return { parts, isSized: graphics !== undefined };
}
