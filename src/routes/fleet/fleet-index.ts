import type { Static } from "@sinclair/typebox";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { StoredRecord } from "../../domain/query.ts";
import type { Fleet } from "./fleet.ts";
import { type gpuSchema, toApiGpu } from "../schemas/gpu.ts";
import {
  type clusterSchema,
  type hostSchema,
  newestByCluster,
  toApiClusters,
  toApiHosts,
} from "../schemas/hierarchy.ts";

export type ApiGpu = Static<typeof gpuSchema>;
export type ApiHost = Static<typeof hostSchema>;
export type ApiCluster = Static<typeof clusterSchema>;

/** The fleet at one moment, indexed by UUID, host and cluster. Only `selected` and `record` read the fleet as it is when they
 *  are called. */
export class FleetIndex {
  /** GPUs and MIG instances, ordered by hostname, then index, then UUID. */
  readonly gpus: readonly ApiGpu[];
  readonly hosts: readonly ApiHost[];
  /** Ordered by id. */
  readonly clusters: readonly ApiCluster[];
  private readonly gpuByUuid: ReadonlyMap<string, ApiGpu>;
  private readonly clusterById: ReadonlyMap<string, ApiCluster>;
  private readonly gpusByHost: ReadonlyMap<string, readonly ApiGpu[]>;
  private readonly instancesByParent: ReadonlyMap<string, readonly ApiGpu[]>;
  private readonly hostsByCluster: ReadonlyMap<string, readonly ApiHost[]>;
  private readonly hostByKey: ReadonlyMap<string, ApiHost>;

  /** @throws StoreUnavailable while the fleet is not loaded */
  constructor(private readonly fleet: Fleet) {
    const stored = fleet.gpus({});
    const newest = newestByCluster(stored, fleet.nowMs());
    this.gpus = stored.map((gpu) => toApiGpu(gpu, newest.get(gpu.clusterId) ?? NaN));
    this.hosts = toApiHosts(stored, newest, fleet.hostStates);
    this.clusters = toApiClusters(stored, newest);
    this.gpuByUuid = new Map(this.gpus.map((gpu) => [gpu.uuid, gpu]));
    this.clusterById = new Map(this.clusters.map((cluster) => [cluster.id, cluster]));
    this.gpusByHost = Map.groupBy(this.gpus, keyOf);
    this.instancesByParent = groupedByParent(this.gpus);
    this.hostsByCluster = Map.groupBy(this.hosts, ({ cluster_id }) => cluster_id);
    this.hostByKey = new Map(this.hosts.map((host) => [keyOf(host), host]));
  }

  /** Returns what a search found.
   *  @throws StoreUnavailable if it found nothing, and the fleet may lack GPUs that the store has */
  found<Element>(element: Element | undefined): Element | undefined {
    if (element === undefined) this.fleet.checkComplete();
    return element;
  }

  gpu(uuid: string): ApiGpu | undefined {
    return this.gpuByUuid.get(uuid);
  }

  /** The selected GPUs, ordered by hostname and index. */
  selected(selector: GpuSelector): readonly ApiGpu[] {
    return this.fleet.members(selector).flatMap(({ gpu: { uuid } }) => this.gpu(uuid) ?? []);
  }

  /** The MIG instances of a GPU. */
  instancesOf(uuid: string): readonly ApiGpu[] {
    return this.instancesByParent.get(uuid) ?? [];
  }

  cluster(id: string): ApiCluster | undefined {
    return this.clusterById.get(id);
  }

  host(place: Place): ApiHost | undefined {
    return this.hostByKey.get(keyOf(place));
  }

  hostsOf(clusterId: string): readonly ApiHost[] {
    return this.hostsByCluster.get(clusterId) ?? [];
  }

  gpusOf(place: Place): readonly ApiGpu[] {
    return this.gpusByHost.get(keyOf(place)) ?? [];
  }

  /** The newest record of a GPU; undefined if there is none. */
  record(uuid: string): StoredRecord | undefined {
    return this.fleet.member(uuid)?.record;
  }
}

/** The values that identify a host. */
export interface Place {
  readonly cluster_id: string;
  readonly hostname: string;
}

/** Caches the index of the fleet; makes a new one after the fleet has changed. */
export class FleetView {
  private index: FleetIndex | undefined;
  private indexVersion = NaN;

  constructor(private readonly fleet: Fleet) {}

  get version(): number {
    return this.fleet.version;
  }

  /** @throws StoreUnavailable while the fleet is not loaded */
  now(): FleetIndex {
    if (this.index === undefined || this.indexVersion !== this.fleet.version || !this.fleet.isLoaded) {
      this.index = new FleetIndex(this.fleet);
      this.indexVersion = this.fleet.version;
    }
    return this.index;
  }
}

function groupedByParent(gpus: readonly ApiGpu[]): ReadonlyMap<string, readonly ApiGpu[]> {
  const instances = gpus.flatMap((gpu) => (gpu.parent_uuid === undefined ? [] : [[gpu.parent_uuid, gpu] as const]));
  const byParent = Map.groupBy(instances, ([parentUuid]) => parentUuid);
  return new Map(Array.from(byParent, ([uuid, pairs]) => [uuid, pairs.map(([, gpu]) => gpu)]));
}

function keyOf({ cluster_id, hostname }: Place): string {
  return JSON.stringify([cluster_id, hostname]);
}
