import type { DescribedGpu, Pod, Values } from "./host.ts";
import { driver, model } from "./host.ts";
import { measures } from "./measures.ts";
import { ownHostname, type Style } from "./write.ts";

/** What must be stored of a device. */
export interface StoredRecord {
  readonly uuid: string;
  readonly hostname: string;
  readonly gpuId: number;
  readonly modelName: string;
  readonly driverVersion: string;
  readonly values: Readonly<Record<string, number>>;
  readonly occupants: readonly string[];
}

/** The records of a host's GPUs and MIG instances, by uuid. A device without any value has none. */
export function expectedOf(gpus: readonly DescribedGpu[], style: Style, targetHost: string): readonly StoredRecord[] {
  const hostname = style.hostname === "own" && style.names !== "smi" ? ownHostname : targetHost;
  return gpus
    .flatMap((gpu) => {
      const identity = { hostname, gpuId: gpu.index, modelName: model, driverVersion: driver };
      const isDivided = gpu.instances.length > 0;
      const pods = style.names === "smi" || isDivided ? [] : gpu.pods;
      const ofGpu = known(gpu.values, style, (isOfInstance) => !(isDivided && isOfInstance));
      const instances = style.names === "smi" ? [] : gpu.instances;
      return [
        { ...identity, uuid: gpu.uuid, values: ofGpu, occupants: pods.map(textOf).sort() },
        ...instances.map(({ id, profile, values, pod }) => ({
          ...{ ...identity, uuid: `${gpu.uuid}:mig:${id}:${profile}` },
          ...{ values: known(values, style, (isOfInstance) => isOfInstance), occupants: pod ? [textOf(pod)] : [] },
        })),
      ];
    })
    .filter(({ values }) => Object.keys(values).length > 0)
    .sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

function known(values: Values, { names }: Style, has: (isOfInstance: boolean) => boolean): Record<string, number> {
  return Object.fromEntries(
    measures.flatMap(({ ours, isOfInstance, smi }): [string, number][] => {
      const value = values[ours];
      if (typeof value !== "number" || !has(isOfInstance) || (names === "smi" && smi === undefined)) return [];
      return [[ours, value]];
    }),
  );
}

function textOf({ namespace, pod, container }: Pod): string {
  return `${namespace}/${pod}/${container}`;
}
