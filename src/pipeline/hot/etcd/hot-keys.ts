import type { Gpu } from "../../../domain/gpu.ts";

const root = "/telemetry/";
const clusters = `${root}clusters/`;

/** The keys of the hot tier. Names are percent-encoded, so that none of them can hold a slash. */
export const hotKeys = {
  /** The hierarchy and the newest records, all of it. */
  clusters,
  cluster: (clusterId: string): string => `${clusters}${encoded(clusterId)}`,
  host: ({ clusterId, hostname }: Pick<Gpu, "clusterId" | "hostname">): string =>
    `${clusters}${encoded(clusterId)}/hosts/${encoded(hostname)}`,
  /** A GPU's place, whichever board is in it. */
  slot: (gpu: Pick<Gpu, "clusterId" | "hostname" | "gpuId">): string => `${hotKeys.host(gpu)}/gpus/${gpu.gpuId}`,
  /** Says which slot a board is in. */
  board: (uuid: string): string => `${root}boards/${encoded(uuid)}`,
  /** The host that a slot is in. */
  hostOfSlot: (slot: string): string => slot.slice(0, slot.lastIndexOf("/gpus/")),
};

const documentKey = /^\/telemetry\/clusters\/[^/]+\/hosts\/[^/]+\/(gpus|data)\/[^/]+$/;

/** @returns whether a key is a GPU's slot or holds a host's data; undefined for any other */
export function kindOfKey(key: string): "gpus" | "data" | undefined {
  return documentKey.exec(key)?.[1] as "gpus" | "data" | undefined;
}

function encoded(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}
