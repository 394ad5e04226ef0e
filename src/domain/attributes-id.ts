import type { Attributes } from "./gpu.ts";
import { keyOfText } from "./gpu-key.ts";

/** The number of attributes in the store, which follows from their content. It tells apart the attributes that inputs have
 *  reported about one GPU. The order of the properties does not matter. */
export function attributesIdOf(attributes: Attributes): number {
  const { clusterId, hostname, gpuId, device, modelName, driverVersion, properties } = attributes;
  const entries = Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1));
  return keyOfText(JSON.stringify([clusterId, hostname, gpuId, device, modelName, driverVersion, entries]));
}
