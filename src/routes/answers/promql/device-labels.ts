import { isSameAttributes, isSameOccupants, type Gpu, type Occupants, noWorkload } from "../../../domain/gpu.ts";
import { labelSpellings } from "../../../domain/metrics.ts";
import { migInstanceOf } from "../../../domain/mig-instance.ts";

const fieldByProperty: ReadonlyMap<string, string> = new Map(
  labelSpellings.toReversed().map(([field, name]) => [name, field]),
);
/** The job of devices whose input has none. */
const defaultJob = "gpu-telemetry";

/** The labels that all series of a device have at an instant, as dcgm-exporter and Prometheus write them. A host has both spellings, and
 *  so has a workload. Of a device that several workloads share, there is one series, with the first of them: a sum counts it once. */
export function deviceLabels(gpu: Gpu, occupants: Occupants): Readonly<Record<string, string>> {
  const instance = migInstanceOf(gpu.uuid);
  const { namespace, pod, container } = occupants[0] ?? noWorkload;
  return {
    ...{ instance: gpu.hostname, job: defaultJob },
    ...propertyLabels(gpu.properties),
    ...{ gpu: String(gpu.gpuId), UUID: instance?.parentUuid ?? gpu.uuid, device: gpu.device, modelName: gpu.modelName },
    ...{ Hostname: gpu.hostname, hostname: gpu.hostname, cluster: gpu.clusterId },
    DCGM_FI_DRIVER_VERSION: gpu.driverVersion,
    ...(instance === undefined ? {} : { GPU_I_ID: instance.instanceId, GPU_I_PROFILE: instance.profile }),
    ...workloadLabels({ namespace, pod, container }),
  };
}

/** The labels by which a series differs from the others of its device. One with its own workload has none of the device's; an empty text
 *  takes a label away. */
export function ownLabelsOf(own: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { namespace, pod, container } = own;
  const workload = [namespace, pod, container].some((text) => text !== undefined);
  return { ...(workload ? workloadLabels({ namespace: "", pod: "", container: "", ...own }) : {}), ...own };
}

function workloadLabels({ namespace, pod, container }: Readonly<Record<"namespace" | "pod" | "container", string>>) {
  return {
    ...{ namespace, pod, container },
    ...{ exported_namespace: namespace, exported_pod: pod, exported_container: container },
  };
}

/** What else an input says of a device, as labels: under DCGM's name where it has one. */
export function propertyLabels(properties: Gpu["properties"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, text]) => {
      const label = fieldByProperty.get(name) ?? name;
      return /^[A-Za-z_]\w*$/.test(label) && !label.startsWith("__") ? [[label, text]] : [];
    }),
  );
}

/** True if the labels of a device follow from the same attributes and workloads. */
export function isSameDevice(a: { gpu: Gpu; occupants: Occupants }, b: { gpu: Gpu; occupants: Occupants }): boolean {
  return a.gpu.uuid === b.gpu.uuid && isSameAttributes(a.gpu, b.gpu) && isSameOccupants(a.occupants, b.occupants);
}
