import { migInstanceOf } from "../mig-instance.ts";

/** A millisecond of a whole GPU has so many parts: the time of each MIG instance is a whole number of them, whether its GPU has 7 compute
 *  slices or 4. */
export const partsPerMs = 28;

const slicesDefault = 7;
/** Models that have 4 compute slices. */
const fourSlices = /\bA30\b|RTX PRO [56]000/i;
const profileForm = /^(?:(\d+)c\.)?(\d+)g\b/;

/** The share of a device in its GPU: `partsPerMs` for a GPU; for a MIG instance, its compute slices of those that the model has. A compute
 *  instance (`1c.3g.20gb`) counts by its own slices; an instance whose profile is not known counts as one slice. */
export function partsOf(uuid: string, modelName: string): number {
  const instance = migInstanceOf(uuid);
  if (instance === undefined) return partsPerMs;
  const slices = fourSlices.test(modelName) ? 4 : slicesDefault;
  const [, compute, graphics] = profileForm.exec(instance.profile) ?? [];
  const own = Number(compute ?? graphics ?? 1);
  return (Math.min(slices, Math.max(1, own)) * partsPerMs) / slices;
}
