import type { UsageFleet, UsagePlace } from "../../../../db/sql/usage-devices.ts";
import { isPlaceWithin } from "../../../../domain/gpu-bounds.ts";
import { migInstanceOf } from "../../../../domain/mig-instance.ts";
import type { TimeRange } from "../../../../domain/time-range.ts";
import { partsOf } from "../../../../domain/usage/mig-slices.ts";
import type { UsageFilter } from "../../../../domain/usage/usage.ts";

/** A GPU or a MIG instance. */
export interface UsageDevice {
  readonly gpuKey: number;
  readonly uuid: string;
  /** From its first record to its last one, as far as the database knows it. */
  readonly seen: TimeRange;
  /** In the order of time, at least one. */
  readonly places: readonly UsagePlace[];
  /** Its share in its GPU. */
  readonly parts: number;
}

/** A GPU with its MIG instances. */
export interface GpuFamily {
  readonly uuid: string;
  /** Undefined if only its instances have reported. */
  readonly board: UsageDevice | undefined;
  readonly instances: readonly UsageDevice[];
  /** When it was decommissioned. */
  readonly gone: readonly TimeRange[];
}

/** The families with a device that a filter may select, in the order of their uuids. */
export function familiesOf({ devices, places, decommissioned }: UsageFleet, filter: UsageFilter): GpuFamily[] {
  const placesOf = Map.groupBy(places, ({ gpuKey }) => gpuKey);
  const goneOf = Map.groupBy(decommissioned, ({ uuid }) => uuid);
  const all = devices.flatMap(({ gpuKey, uuid, firstSeenMs, lastSeenMs }): UsageDevice[] => {
    const own = placesOf.get(gpuKey);
    if (own === undefined) return [];
    const parts = partsOf(uuid, own.at(-1)?.modelName ?? "");
    return [{ gpuKey, uuid, parts, places: own, seen: { fromMs: firstSeenMs, toMs: lastSeenMs } }];
  });
  return [...Map.groupBy(all, ({ uuid }) => migInstanceOf(uuid)?.parentUuid ?? uuid)]
    .filter(([, family]) => family.some((device) => device.places.some((place) => selects(filter, device, place))))
    .sort(([a], [b]) => byText(a, b))
    .map(([uuid, family]) => ({
      uuid,
      board: family.find((device) => device.uuid === uuid),
      instances: family.filter((device) => device.uuid !== uuid).sort((a, b) => byText(a.uuid, b.uuid)),
      gone: [uuid, ...family.map((device) => device.uuid)].flatMap((name) => goneOf.get(name) ?? []),
    }));
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
    (parentUuid === undefined || migInstanceOf(uuid)?.parentUuid === parentUuid) &&
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

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
