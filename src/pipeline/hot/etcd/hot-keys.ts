import type { Gpu } from "../../../domain/gpu.ts";
import { hasNvidiaMigUuid, migInstanceOf } from "../../../domain/mig-instance.ts";
import { pipelineRoot } from "../../../etcd/pipeline-root.ts";

/** The keys of a pipeline's hot tier. Names are percent-encoded, so none of them contains a slash. */
export class HotKeys {
  /** Prefix of the hierarchy and of the newest records. */
  readonly clusters: string;
  private readonly boards: string;

  /** @param topic the pipeline's topic */
  constructor(topic: string) {
    const root = `${pipelineRoot(topic)}/telemetry/`;
    this.clusters = `${root}clusters/`;
    this.boards = `${root}boards/`;
  }

  cluster(clusterId: string): string {
    return `${this.clusters}${encoded(clusterId)}`;
  }

  host({ clusterId, hostname }: Pick<Gpu, "clusterId" | "hostname">): string {
    return `${this.cluster(clusterId)}/hosts/${encoded(hostname)}`;
  }

  /** The key of a slot, whichever board is in the slot. The slot of a MIG instance follows from the instance's id, not from its
   *  profile; an instance with a uuid of NVIDIA's has a slot of its own. */
  slot(gpu: Pick<Gpu, "uuid" | "clusterId" | "hostname" | "gpuId">): string {
    const instance = migInstanceOf(gpu.uuid);
    const ofGpu = hasNvidiaMigUuid(gpu.uuid) ? `:${encoded(gpu.uuid)}` : "";
    const part = instance === undefined ? ofGpu : `:mig:${encoded(instance.instanceId)}`;
    return `${this.host(gpu)}/gpus/${gpu.gpuId}${part}`;
  }

  /** The key of the document that names a board's slot. */
  board(uuid: string): string {
    return this.boards + encoded(uuid);
  }
}

const documentKey = /\/telemetry\/clusters\/[^/]+\/hosts\/[^/]+\/(gpus|data)\/[^/]+$/;

/** @returns `gpus` for the key of a GPU's slot, `data` for that of a host's data, undefined for any other key */
export function kindOfKey(key: string): "gpus" | "data" | undefined {
  return documentKey.exec(key)?.[1] as "gpus" | "data" | undefined;
}

/** The key of the host that a slot is in, from the key of the slot. */
export function hostOfSlot(slot: string): string {
  return slot.slice(0, slot.lastIndexOf("/gpus/"));
}

/** The host that a key is below. */
export function hostOfKey(key: string): Pick<Gpu, "clusterId" | "hostname"> {
  const [, clusterId = "", hostname = ""] = /\/clusters\/([^/]+)\/hosts\/([^/]+)\//.exec(key) ?? [];
  return { clusterId: decoded(clusterId), hostname: decoded(hostname) };
}

function encoded(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

/** @returns the name as it is if it was not encoded by `encoded` */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
