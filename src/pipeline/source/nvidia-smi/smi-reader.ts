import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import { rawMaxLength, valueMaxLength } from "../../../domain/batch.ts";
import { cutText } from "../../../domain/cut-text.ts";
import { spellingOf } from "../../../domain/dialects/spelling-of.ts";
import { type FieldError, invalidText, isNoInstanceId } from "../../../domain/field-rules.ts";
import type { Gpu } from "../../../domain/gpu.ts";
import { metrics } from "../../../domain/metrics.ts";
import { migUuid } from "../../../domain/mig-instance.ts";
import { seriesName } from "../../../domain/series.ts";
import { meansNoValue } from "../../../domain/value.ts";
import { readValue } from "../../../domain/value-text.ts";
import { identityError } from "../labels/identity-error.ts";
import { attributeText } from "../labels/labels.ts";
import { readMeasured } from "./measured-text.ts";
import { elementIn, elementsIn, type SmiElement, type SmiLog, textAt } from "./smi-document.ts";
import { type SmiField, smiFields, smiProperties } from "./smi-fields.ts";
import type { ListedGpu, SmiList } from "./smi-list.ts";
import { processesOf, programUses, type SmiProcess } from "./smi-processes.ts";

/** What a document does not say itself. */
export interface SmiContext {
  readonly clusterId: string;
  readonly hostname: string;
  /** The time of all records, milliseconds since the epoch. */
  readonly timeMs: number;
  /** Undefined if `nvidia-smi -L` was not run. */
  readonly list: SmiList | undefined;
  /** Where the document begins in its file; line 0 if it is not from a file. */
  readonly place: { readonly line: number; readonly byte: number };
}

/** The memory and the number of a program's processes: series with the label `process`. */
const processMemory = "process_memory_used_mb";
const processCount = "processes";

/** Adds a record for each GPU and each MIG instance of a document. What cannot be used is rejected, alone: a value, an instance, or
 *  a GPU without a uuid. */
export function readSmiLog(log: SmiLog, context: SmiContext, builder: BatchBuilder): void {
  const isWhole = hasAllGpus(log);
  builder.moveTo(context.place.line, context.place.byte);
  log.gpus.forEach((element, position) => {
    const minor = textAt(element, "minor_number") ?? "";
    // without the other GPUs, the position says nothing
    const index = isWhole || !/^\d{1,4}$/.test(minor) ? position : Number(minor);
    new GpuElementReader(element, { log, context, builder, index }).read();
  });
}

/** True if `nvidia-smi -L` knows what the document does not say: the profiles of MIG instances, or the indexes of GPUs while others are
 *  missing. */
export function needsList(log: SmiLog): boolean {
  return !hasAllGpus(log) || log.gpus.some((gpu) => instancesOf(gpu).length > 0);
}

function hasAllGpus({ attachedGpus, gpus }: SmiLog): boolean {
  return attachedGpus === undefined || attachedGpus === gpus.length;
}

function instancesOf(gpu: SmiElement): readonly SmiElement[] {
  const devices = elementIn(gpu, "mig_devices");
  return devices === undefined ? [] : elementsIn(devices, "mig_device");
}

function instanceIdOf(instance: SmiElement): string {
  return textAt(instance, "gpu_instance_id") ?? "";
}

interface GpuElementParts {
  readonly log: SmiLog;
  readonly context: SmiContext;
  readonly builder: BatchBuilder;
  /** The GPU's index on its host, as far as the document says. */
  readonly index: number;
}

/** Reads one GPU of a document. */
class GpuElementReader {
  constructor(
    private readonly element: SmiElement,
    private readonly parts: GpuElementParts,
  ) {}

  read(): void {
    const { builder, log, context } = this.parts;
    builder.count("rows");
    const uuid = textAt(this.element, "uuid") ?? "";
    const modelName = known(textAt(this.element, "product_name"));
    const error = identityError(
      { uuid: { field: "uuid", text: uuid }, hostname: { field: "hostname", text: context.hostname } },
      [
        { field: "product_name", text: modelName },
        { field: "driver_version", text: log.driverVersion },
      ],
    );
    if (error !== undefined) return this.reject(error);
    const listed = context.list?.get(uuid);
    const gpuId = listed?.index ?? this.parts.index;
    const { clusterId, hostname } = context;
    const driverVersion = known(log.driverVersion);
    const properties = propertiesOf(this.element);
    const gpu = { uuid, clusterId, hostname, gpuId, device: `nvidia${gpuId}`, modelName, driverVersion, properties };
    const instances = instancesOf(this.element);
    const processes = processesOf(this.element, instances.map(instanceIdOf));
    this.readDevice(this.element, gpu, ofInstance(processes, undefined));
    for (const instance of instances) this.readInstance(instance, gpu, { listed, processes });
  }

  private readInstance(instance: SmiElement, gpu: Gpu, { listed, processes }: InstanceParts): void {
    const { builder, context } = this.parts;
    builder.count("rows");
    const instanceId = instanceIdOf(instance);
    const index = textAt(instance, "index") ?? "";
    const profile = context.list === undefined ? "" : listed?.profiles.get(index);
    if (isNoInstanceId(instanceId)) {
      const message = "The MIG device has no gpu_instance_id, which identifies it.";
      return this.reject({ reason: "missing_field", field: "gpu_instance_id", value: instanceId, message });
    }
    if (profile === undefined) {
      const message = `nvidia-smi -L does not list the MIG device ${index} of the GPU, so its profile is not known.`;
      return this.reject({ reason: "missing_field", field: "mig_device", value: index, message });
    }
    const uuid = migUuid({ parentUuid: gpu.uuid, instanceId, profile });
    const error = invalidText("uuid", uuid);
    if (error !== undefined) return this.reject(error);
    this.readDevice(instance, { ...gpu, uuid }, ofInstance(processes, instanceId));
  }

  private readDevice(element: SmiElement, gpu: Gpu, processes: readonly SmiProcess[] | undefined): void {
    const { builder, context } = this.parts;
    const record = builder.record(builder.gpuIndex(gpu), context.timeMs, 0);
    builder.describe(record);
    for (const field of smiFields) {
      const isOfBoard = metrics[spellingOf(field.name)?.metricIndex ?? -1]?.scope === "board";
      if (!(isOfBoard && element !== this.element)) this.readField(element, field, record);
    }
    if (processes !== undefined) this.readProcesses(processes, record);
  }

  private readField(element: SmiElement, field: SmiField, record: number): void {
    const values: number[] = [];
    let hasText = false;
    for (const { path, factor } of field.parts) {
      const text = textAt(element, path);
      if (text === undefined) continue;
      hasText = true;
      const value = readMeasured(text, field.unit);
      if (typeof value === "number") values.push(value * factor);
      else if (value !== "missing") {
        return this.reject({ reason: "invalid_value", field: field.name, value: text, message: value.message });
      }
    }
    const [first] = values;
    if (first !== undefined) this.add(record, field.name, field.isSum ? sumOf(values) : first);
    else if (hasText) this.parts.builder.count("missing");
  }

  private readProcesses(processes: readonly SmiProcess[], record: number): void {
    const { builder } = this.parts;
    for (const { memory } of processes) {
      if (memory === "missing") builder.count("missing");
      else if (typeof memory !== "number") {
        this.reject({ reason: "invalid_value", field: "used_memory", value: "", message: memory.message });
      }
    }
    builder.setCustom(record, processCount, processes.length);
    for (const { program, processes: count, memoryMebibytes } of programUses(processes)) {
      const labels = { process: program };
      builder.setCustom(record, seriesName(processCount, labels), count);
      if (memoryMebibytes !== undefined) this.add(record, seriesName(processMemory, labels), memoryMebibytes);
    }
  }

  private add(record: number, name: string, number: number): void {
    const { builder } = this.parts;
    const spelling = spellingOf(name);
    const value = readValue(spelling ?? name, String(number));
    if (value === "missing") builder.count("missing");
    else if (typeof value !== "number") this.reject({ ...value, field: name, value: String(number) });
    else if (spelling !== undefined) builder.set(record, spelling.metricIndex, value);
    else builder.setCustom(record, name, value);
  }

  private reject({ reason, field, value, message }: FieldError): void {
    const { builder, context } = this.parts;
    const raw = cutText(JSON.stringify(this.element), rawMaxLength);
    builder.reject({ ...context.place, reason, field, value: cutText(value, valueMaxLength), message, raw });
  }
}

interface InstanceParts {
  readonly listed: ListedGpu | undefined;
  readonly processes: readonly SmiProcess[] | undefined;
}

function ofInstance(
  processes: readonly SmiProcess[] | undefined,
  instanceId: string | undefined,
): readonly SmiProcess[] | undefined {
  return processes?.filter((process) => process.instanceId === instanceId);
}

function propertiesOf(gpu: SmiElement): Record<string, string> {
  const texts = smiProperties.map(([name, path]) => [name, known(textAt(gpu, path))] as const);
  return Object.fromEntries(texts.filter(([, text]) => text !== "").sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The text of an attribute; empty if it says that there is none. */
function known(text = ""): string {
  return meansNoValue(text) ? "" : attributeText(text);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
