import type { UsageFleet, UsagePlace } from "../../../../db/sql/usage-devices.ts";
import { isPlaceWithin } from "../../../../domain/gpu-bounds.ts";
import { keyOfText } from "../../../../domain/gpu-key.ts";
import { isMigInstance, parentUuidOf } from "../../../../domain/mig-instance.ts";
import type { TimeRange } from "../../../../domain/time-range.ts";
import { shareOfGpu } from "../../../../domain/usage/mig-slices.ts";
import type { UsageFilter } from "../../../../domain/usage/usage.ts";

/** A GPU or a MIG instance. */
export interface UsageDevice {
  /** Negative for the GPU of MIG instances that has not reported itself: that of one of them. */
  readonly gpuKey: number;
  readonly uuid: string;
  /** From its first record to its last one, as far as the database knows it. */
  readonly seen: TimeRange;
  /** In the order of time, at least one. */
  readonly places: readonly UsagePlace[];
  /** Its share in its GPU. */
  readonly parts: number;
  /** False for a MIG instance whose share is not known: it counts as one slice. */
  readonly isSized: boolean;
}

/** A GPU with its MIG instances. */
export interface GpuFamily {
  /** Undefined if no input says which GPU its instances are parts of. */
  readonly uuid: string | undefined;
  /** Undefined if only its instances have reported. */
  readonly board: UsageDevice | undefined;
  readonly instances: readonly UsageDevice[];
  /** When it was decommissioned. */
  readonly gone: readonly TimeRange[];
}

/** The families with a device that a filter may select, in the order of their uuids. */
export function familiesOf(
  { devices, places, decommissioned }: UsageFleet,
  filter: Pick<UsageFilter, "gpus">,
): GpuFamily[] {
  const placesOf = Map.groupBy(places, ({ gpuKey }) => gpuKey);
  const goneOf = Map.groupBy(decommissioned, ({ uuid }) => uuid);
  const all = devices.flatMap(({ gpuKey, uuid, firstSeenMs, lastSeenMs }): UsageDevice[] => {
    const own = placesOf.get(gpuKey);
    if (own === undefined) return [];
    const { modelName, profile } = own.at(-1) as UsagePlace;
    const share = shareOfGpu({ uuid, modelName, profile });
    return [{ gpuKey, uuid, ...share, places: own, seen: { fromMs: firstSeenMs, toMs: lastSeenMs } }];
  });
  const parentOf = parentsOf(all);
  return [...Map.groupBy(all, (device) => parentOf(device) ?? slotOf(device))]
    .filter(([, family]) => family.some((device) => device.places.some((place) => selects(filter, device, place))))
    .sort(([a], [b]) => byText(a, b))
    .map(([uuid, family]) => ({
      uuid: family.some((device) => parentOf(device) === undefined) ? undefined : uuid,
      board: family.find((device) => device.uuid === uuid),
      instances: family.filter((device) => device.uuid !== uuid).sort((a, b) => byText(a.uuid, b.uuid)),
      gone: [uuid, ...family.map((device) => device.uuid)].flatMap((name) => goneOf.get(name) ?? []),
    }));
}

/** A host's index of a GPU. */
function slotOf({ places }: Pick<UsageDevice, "places">): string {
  const { clusterId, hostname, gpuId } = places.at(-1) as UsagePlace;
  return JSON.stringify([clusterId, hostname, gpuId]);
}

/** Finds the uuid of each device's GPU. If the uuid of a MIG instance does not say it, it is the GPU that has had the same index on the same
 *  host, for the longest part of the instance's time. */
function parentsOf(devices: readonly UsageDevice[]): (device: UsageDevice) => string | undefined {
  const hasOrphans = devices.some(({ uuid }) => isMigInstance(uuid) && parentUuidOf(uuid) === undefined);
  const boards = hasOrphans ? devices.filter(({ uuid }) => !isMigInstance(uuid)) : [];
  const bySlot = Map.groupBy(boards, slotOf);
  return (device) => {
    if (!isMigInstance(device.uuid)) return device.uuid;
    const parent = parentUuidOf(device.uuid);
    if (parent !== undefined) return parent;
    const found = bySlot.get(slotOf(device)) ?? [];
    const together = ({ seen }: UsageDevice): number =>
      Math.min(seen.toMs, device.seen.toMs) - Math.max(seen.fromMs, device.seen.fromMs);
    const [best] = found.filter((board) => together(board) >= 0).sort((a, b) => together(b) - together(a));
    return best?.uuid;
  };
}

/** True if a filter selects a device in a place. */
export function selects(
  { gpus }: Pick<UsageFilter, "gpus">,
  { uuid }: Pick<UsageDevice, "uuid">,
  place: UsagePlace,
): boolean {
  const { uuids, parentUuid, clusterId, hostname, gpuId, modelName, within } = gpus;
  return (
    (uuids?.includes(uuid) ?? true) &&
    (parentUuid === undefined || parentUuidOf(uuid) === parentUuid) &&
    (clusterId === undefined || place.clusterId === clusterId) &&
    (hostname === undefined || place.hostname === hostname) &&
    (gpuId === undefined || place.gpuId === gpuId) &&
    (modelName === undefined || place.modelName === modelName) &&
    (within === undefined || isPlaceWithin(within, place))
  );
}

/** The place of a device at an instant; its first place also counts for all earlier instants. */
export function placeAt({ places }: Pick<UsageDevice, "places">, instantMs: number): UsagePlace {
  const last = places.at(-1) as UsagePlace;
  if (last.fromMs <= instantMs) return last;
  return places.findLast(({ fromMs }) => fromMs <= instantMs) ?? (places[0] as UsagePlace);
}

/** The devices of a family. */
export const membersOf = ({ board, instances }: GpuFamily): readonly UsageDevice[] =>
  board === undefined ? instances : [board, ...instances];

/** The key of a host in the days of devices. */
export const hostKeyOf = ({ clusterId, hostname }: Pick<UsagePlace, "clusterId" | "hostname">): number =>
  keyOfText(JSON.stringify([clusterId, hostname]));

/** True if a device is in one place for all of a range, as the same GPU. */
export function staysIn({ places }: Pick<UsageDevice, "places">, { fromMs, toMs }: TimeRange): boolean {
  const nameOf = ({ clusterId, hostname, gpuId, modelName }: UsagePlace) =>
    JSON.stringify([clusterId, hostname, gpuId, modelName]);
  const first = nameOf(placeAt({ places }, fromMs));
  return places.every((place) => place.fromMs <= fromMs || place.fromMs >= toMs || nameOf(place) === first);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
