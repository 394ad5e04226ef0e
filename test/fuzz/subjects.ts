import { randomFrom } from "../support/random.ts";
import { accessSubjects } from "./inputs/access.ts";
import { appSubjects } from "./inputs/app.ts";
import { fileSubjects, storedSubjects } from "./inputs/files.ts";
import { requestSubjects } from "./inputs/requests.ts";
import { payloadSubjects, telemetrySubjects, textSubjects } from "./inputs/telemetry.ts";
import type { Subject } from "./subject.ts";

/** Everything in this program that reads what others write. */
export function allSubjects(): Subject[] {
  return [
    ...telemetrySubjects(),
    ...payloadSubjects(),
    ...textSubjects(),
    ...accessSubjects(),
    ...fileSubjects(),
    ...storedSubjects(),
    ...requestSubjects(),
    ...appSubjects(),
  ];
}

/** Inputs of a subject that were read. */
export interface Slice {
  readonly inputs: number;
  /** An input that was read wrongly, with its number; undefined if none was. */
  readonly wrong: { readonly at: number; readonly message: string } | undefined;
}

/** An input that takes longer is wrong, milliseconds of the processor. */
const slowMs = 5000;

/** Reads the inputs of a subject from one number on, until the time or the inputs are over. The same seed and number make the same input. */
export async function readInputs(
  subject: Subject,
  {
    seed,
    from,
    untilMs,
    count,
  }: { readonly seed: number; readonly from: number; readonly untilMs: number; readonly count: number },
): Promise<Slice> {
  let inputs = 0;
  for (; inputs < count; inputs += 1) {
    const startedMs = performance.now();
    if (startedMs >= untilMs && inputs > 0) break;
    const at = from + inputs;
    const read = async (): Promise<void> => subject.run(randomFrom(Math.imul(seed, 0x9e3779b1) ^ at));
    try {
      await read();
    } catch (error) {
      return { inputs: inputs + 1, wrong: { at, message: error instanceof Error ? error.message : String(error) } };
    }
    // on a busy machine, only the time of the processor says which of the two is slow
    const tookMs = performance.now() - startedMs < slowMs ? 0 : await processorMs(read);
    if (tookMs > slowMs) return { inputs: inputs + 1, wrong: { at, message: `it takes ${Math.round(tookMs)} ms` } };
  }
  return { inputs, wrong: undefined };
}

async function processorMs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
