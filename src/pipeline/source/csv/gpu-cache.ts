import { LRUCache } from "lru-cache";
import type { Gpu } from "../../../domain/gpu.ts";
import { SharedTexts } from "./shared-texts.ts";
import { type ParsedLabels, parseLabels, sortedRecord } from "./labels.ts";

/** The cells of a row that describe its GPU. */
export interface GpuCells {
  readonly uuid: string;
  readonly hostname: string;
  readonly gpuId: number;
  readonly device: string;
  readonly modelName: string;
  readonly labels: string;
  /** The names and cells of the label columns, without missing values; empty in a long file. */
  readonly labelCells: readonly (readonly [name: string, value: string])[];
}

/** The maximum total length of the keys of `byAttributes`. A key has about 250 characters, so the cache has up to about 16,000
 *  GPUs, which take 30 MB with their objects. */
const keysMaxLength = 4 * 1024 * 1024;
/** The maximum total length of the keys of `byCells`. This cache saves parsing the labels again: rows of the same GPU and metric
 *  have the same cells. */
const cellsMaxLength = 2 * 1024 * 1024;

const boundedBy = (maxSize: number): LRUCache<string, Gpu> =>
  new LRUCache<string, Gpu>({ maxSize, sizeCalculation: (_, key) => key.length });

/** Returns the same object for equal GPUs, so that few rows need a new object. The cache is bounded: once an object is
 *  evicted, an equal GPU gets a new one. */
export class GpuCache {
  private readonly byAttributes = boundedBy(keysMaxLength);
  private readonly byCells = boundedBy(cellsMaxLength);
  private readonly texts = new SharedTexts();

  constructor(private readonly clusterId: string) {}

  gpuOf(cells: GpuCells): Gpu {
    const key = cellsKey(cells);
    const cached = this.byCells.get(key);
    if (cached !== undefined) return cached;
    const gpu = this.interned(cells, parseLabels(cells.labels));
    this.byCells.set(key, gpu);
    return gpu;
  }

  private interned(cells: GpuCells, labels: ParsedLabels): Gpu {
    const { uuid, hostname, gpuId, device, modelName } = cells;
    const { driverVersion, properties } = withLabelCells(labels, cells.labelCells);
    const key = JSON.stringify([uuid, hostname, gpuId, device, modelName, driverVersion, properties]);
    const cached = this.byAttributes.get(key);
    if (cached !== undefined) return cached;
    const { texts } = this;
    const gpu: Gpu = {
      uuid,
      clusterId: this.clusterId,
      hostname: texts.shared(hostname),
      gpuId,
      device: texts.shared(device),
      modelName: texts.shared(modelName),
      driverVersion: texts.shared(driverVersion),
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, value]) => [texts.shared(name), texts.shared(value)]),
      ),
    };
    this.byAttributes.set(key, gpu);
    return gpu;
  }
}

/** Adds the cells of the label columns to the labels. A label that is in both gets the value of its own column, which is more
 *  specific. */
export function withLabelCells(labels: ParsedLabels, cells: GpuCells["labelCells"]): ParsedLabels {
  if (cells.length === 0) return labels;
  const driverVersion = cells.find(([name]) => name === "driver_version")?.[1] ?? labels.driverVersion;
  const properties = new Map(Object.entries(labels.properties));
  for (const [name, value] of cells) if (name !== "driver_version") properties.set(name, value);
  return { driverVersion, properties: sortedRecord(properties) };
}

function cellsKey(cells: GpuCells): string {
  const { uuid, hostname, gpuId, device, modelName, labels, labelCells } = cells;
  return [uuid, hostname, gpuId, device, modelName, labels, ...labelCells.flat()].join("\0");
}
