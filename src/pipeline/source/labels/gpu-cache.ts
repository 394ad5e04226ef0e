import { LRUCache } from "lru-cache";
import type { Gpu, Workload } from "../../../domain/gpu.ts";
import { hasNvidiaMigUuid, migProfileProperty, migUuid } from "../../../domain/mig-instance.ts";
import { attributeText, type LabelCell, type ParsedLabels, parseLabels, sortedRecord } from "./labels.ts";
import { RecentTexts } from "./recent-texts.ts";
import { SharedTexts } from "./shared-texts.ts";

/** The cells of a row that describe its GPU. */
export interface GpuCells {
  readonly uuid: string;
  readonly hostname: string;
  /** Absent: the cluster of all rows that name none. */
  readonly clusterId?: string | undefined;
  readonly gpuId: number;
  readonly device: string;
  readonly modelName: string;
  readonly labels: string;
  /** The names and cells of the label columns. */
  readonly labelCells: readonly LabelCell[];
}

/** What the cells of a row say about its device. */
export interface RowDevice {
  /** The GPU or the MIG instance that the row is about. */
  readonly device: Gpu;
  /** The device of the row's board metrics: the whole GPU if the row has its uuid, otherwise `device`. */
  readonly board: Gpu;
  readonly series: ParsedLabels["series"];
  /** The workload that the labels name. */
  readonly workload: Workload | undefined;
  readonly isExported: boolean;
}

/** The content of a valid row, except its time and values. */
export interface RowSubject extends Pick<RowDevice, "device" | "board" | "series"> {
  /** `noWorkload` if the row has none. */
  readonly workload: Workload;
}

/** The maximum total length of the keys of `byAttributes`. A key has about 250 characters, so the cache has up to about 16,000
 *  GPUs, which take 30 MB with their objects. */
const keysMaxLength = 4 * 1024 * 1024;
/** The maximum total length of the keys of `rows`, in each of its two generations. */
const cellsMaxLength = 2 * 1024 * 1024;

function boundedBy<Value extends object>(maxSize: number): LRUCache<string, Value> {
  return new LRUCache<string, Value>({ maxSize, sizeCalculation: (_, key) => key.length });
}

/** Labels of a MIG instance's row that describe the instance or its workload, not the GPU. */
const instanceLabels = /^(?:dra_.*|pod_uid|hpc_job)$/i;

/** The properties of a MIG instance whose uuid is NVIDIA's: only these say which part of its GPU it is. */
function withInstance(
  properties: Readonly<Record<string, string>>,
  { instanceId, profile }: NonNullable<ParsedLabels["mig"]>,
): Readonly<Record<string, string>> {
  const all = new Map(Object.entries(properties)).set("GPU_I_ID", instanceId);
  if (profile !== "") all.set(migProfileProperty, attributeText(profile));
  return sortedRecord(all);
}

/** Returns the same object for equal GPUs, so that few rows need a new object. The cache is bounded: once an object is
 *  evicted, an equal GPU gets a new one. */
export class GpuCache {
  /** What rows say about their devices, by their cells. It saves checking and parsing the cells again: rows of the same GPU and
   *  metric have the same cells. */
  readonly rows = new RecentTexts<RowSubject>(cellsMaxLength);
  private readonly byAttributes = boundedBy<Gpu>(keysMaxLength);

  /** @param clusterId the cluster of rows that name none */
  constructor(
    private readonly clusterId: string,
    private readonly texts = new SharedTexts(),
  ) {}

  deviceOf(cells: GpuCells): RowDevice {
    const labels = parseLabels(cells.labels, cells.labelCells);
    const { series, workload, isExported } = labels;
    return { ...this.devicesOf(cells, labels), series, workload, isExported };
  }

  /** Returns the GPU with a label added or replaced. */
  withLabel(gpu: Gpu, [name, text]: LabelCell): Gpu {
    const isDriver = name === "driver_version";
    const driverVersion = isDriver ? text : gpu.driverVersion;
    const properties = isDriver
      ? gpu.properties
      : sortedRecord(new Map(Object.entries(gpu.properties)).set(name, text));
    return this.interned({ ...gpu, driverVersion, properties });
  }

  private devicesOf(cells: GpuCells, labels: ParsedLabels): Pick<RowDevice, "device" | "board"> {
    const { uuid, hostname, clusterId = this.clusterId, gpuId, device, modelName } = cells;
    const { driverVersion, properties, mig } = labels;
    const gpu = { uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties };
    if (mig === undefined || hasNvidiaMigUuid(uuid)) {
      const interned = this.interned(mig === undefined ? gpu : { ...gpu, properties: withInstance(properties, mig) });
      return { device: interned, board: interned };
    }
    const ofBoard = Object.entries(properties).filter(([name]) => !instanceLabels.test(name));
    return {
      device: this.interned({ ...gpu, uuid: migUuid({ parentUuid: uuid, ...mig }) }),
      board: this.interned({ ...gpu, properties: Object.fromEntries(ofBoard) }),
    };
  }

  private interned(gpu: Gpu): Gpu {
    const { uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties } = gpu;
    const key = JSON.stringify([uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties]);
    const cached = this.byAttributes.get(key);
    if (cached !== undefined) return cached;
    const { texts } = this;
    const interned: Gpu = {
      uuid,
      clusterId: texts.shared(clusterId),
      hostname: texts.shared(hostname),
      gpuId,
      device: texts.shared(device),
      modelName: texts.shared(modelName),
      driverVersion: texts.shared(driverVersion),
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, value]) => [texts.shared(name), texts.shared(value)]),
      ),
    };
    this.byAttributes.set(key, interned);
    return interned;
  }
}
