import { type GpuSelector, selectsGpu } from "../../domain/gpu-selector.ts";
import type { FleetMember } from "./fleet.ts";

/** Finds the members that a selector selects, in the order of `all`. A single GPU is looked up by its uuid: each question about a GPU
 *  does so, and a search through a fleet of thousands takes longer than the database does.
 *  @param byUuid finds one of `all` */
export function selectedMembers(
  selector: GpuSelector,
  all: readonly FleetMember[],
  byUuid: (uuid: string) => FleetMember | undefined,
): readonly FleetMember[] {
  if (Object.keys(selector).length === 0) return all;
  const [uuid, ...others] = selector.uuids ?? [];
  const candidates = uuid === undefined || others.length > 0 ? all : [byUuid(uuid) ?? []].flat();
  return candidates.filter(({ gpu, record }) => selectsGpu(selector, gpu, record?.occupants));
}
