import { shortened } from "../../../domain/cut-text.ts";
import { isNoInstanceId } from "../../../domain/field-rules.ts";
import { metricIndexOf, metrics } from "../../../domain/metrics.ts";
import { meansNoNumber } from "../../../domain/value.ts";
import { type MeasuredText, readMeasured } from "./measured-text.ts";
import { elementIn, elementsIn, type SmiElement, textAt } from "./smi-document.ts";

/** A process that uses a GPU. */
export interface SmiProcess {
  /** The program's name, see `programOf`. */
  readonly program: string;
  /** The MIG instance that the process runs on; undefined if it runs on the whole GPU. */
  readonly instanceId: string | undefined;
  /** MiB. */
  readonly memory: MeasuredText;
}

/** The processes of one program on one device. */
export interface ProgramUse {
  readonly program: string;
  readonly processes: number;
  /** MiB, of all processes that report it; undefined if none does. */
  readonly memoryMebibytes: number | undefined;
}

/** The programs of a device that are named. The rest are counted together as `other`: programs may have names without end. */
const programsMax = 64;
const programMaxLength = 64;
/** The program of processes whose name nvidia-smi cannot see: in containers, it prints `[Not Found]`. */
const unknownProgram = "unknown";
const otherPrograms = "other";
/** No GPU has as much. */
const maxMebibytes = metrics[metricIndexOf("memory_used_mb") ?? -1]?.max ?? Infinity;

/** The processes of a GPU and its MIG instances; undefined if nvidia-smi does not know them. A process in an instance that the document
 *  does not list, such as one that was removed meanwhile, counts for the whole GPU.
 *  @param instanceIds those of the listed MIG instances */
export function processesOf(gpu: SmiElement, instanceIds: readonly string[]): readonly SmiProcess[] | undefined {
  const list = elementIn(gpu, "processes");
  const text = textAt(gpu, "processes");
  if (list === undefined) return text === "" || text?.toLowerCase() === "none" ? [] : undefined;
  return elementsIn(list, "process_info").map((process) => {
    const instanceId = textAt(process, "gpu_instance_id") ?? "";
    return {
      program: programOf(textAt(process, "process_name") ?? ""),
      instanceId: instanceIds.includes(instanceId) && !isNoInstanceId(instanceId) ? instanceId : undefined,
      memory: memoryIn(textAt(process, "used_memory") ?? ""),
    };
  });
}

/** The memory of a process. Drivers print all bits set, as bytes or as MiB, for one that they do not know. */
function memoryIn(text: string): MeasuredText {
  const memory = readMeasured(text, "MiB");
  return typeof memory === "number" && memory > maxMebibytes ? "missing" : memory;
}

/** Adds up the processes of each program, most memory first; of more than 64 programs, those with the least memory are `other`. */
export function programUses(processes: readonly SmiProcess[]): readonly ProgramUse[] {
  const uses = [...addedUp(processes.map(useOf)).values()].sort(byMemory);
  const rest = uses.slice(programsMax).map((use) => ({ ...use, program: otherPrograms }));
  return [...addedUp([...uses.slice(0, programsMax), ...rest]).values()];
}

/** The name of a process's program, without its folder and arguments, which differ from run to run: `/opt/chrome/chrome
 *  --type=gpu-process` is `chrome`. */
function programOf(processName: string): string {
  const plain = withoutEntities(processName);
  if (meansNoNumber(plain)) return unknownProgram;
  // only paths of Windows have spaces often
  const isWindows = /^[A-Za-z]:\\/.test(plain);
  const path = (isWindows ? plain.split(/\s+[-/]/)[0] : plain.split(/\s/)[0]) ?? "";
  const program = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  return shortened(program.replace(/\p{Cc}/gu, "\u{FFFD}"), programMaxLength) || unknownProgram;
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** Replaces the five entities that every XML document has; some drivers write them. */
function withoutEntities(text: string): string {
  return text.replace(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => entities[name] ?? "");
}

function useOf({ program, memory }: SmiProcess): ProgramUse {
  return { program, processes: 1, memoryMebibytes: typeof memory === "number" ? memory : undefined };
}

function addedUp(uses: readonly ProgramUse[]): Map<string, ProgramUse> {
  const byProgram = new Map<string, ProgramUse>();
  for (const { program, processes, memoryMebibytes } of uses) {
    const existing = byProgram.get(program);
    const memories = [existing?.memoryMebibytes, memoryMebibytes].filter((memory) => memory !== undefined);
    byProgram.set(program, {
      program,
      processes: (existing?.processes ?? 0) + processes,
      memoryMebibytes: memories.length === 0 ? undefined : memories.reduce((sum, memory) => sum + memory, 0),
    });
  }
  return byProgram;
}

function byMemory(a: ProgramUse, b: ProgramUse): number {
  const difference = (b.memoryMebibytes ?? -1) - (a.memoryMebibytes ?? -1);
  return difference || (a.program < b.program ? -1 : 1);
}
