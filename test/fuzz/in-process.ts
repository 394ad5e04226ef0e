import type { Subject } from "./subject.ts";
import { allSubjects, readInputs } from "./subjects.ts";

// Reads inputs, one subject after another, in a process of its own. Its parent notices if an input ends this process or makes it hang.
// It gets a message { seed, from } with the number of each subject's next input, and answers with a message for each slice.

/** What the process is told. */
export interface Order {
  readonly seed: number;
  readonly from: Readonly<Record<string, number>>;
  /** Only subjects whose names contain this. */
  readonly only: string;
}

/** What it answers: before a slice, and after it. */
export type Report =
  | { readonly kind: "begins"; readonly subject: string; readonly from: number }
  | {
      readonly kind: "ended";
      readonly subject: string;
      readonly inputs: number;
      readonly residentMiB: number;
      readonly wrong?: { at: number; message: string };
    };

/** Short, so that an input that hangs or ends the process is one of few. */
const sliceMs = 20;
const slicesInTurn = 15;

/** Goes through the subjects again and again, until the process is ended. */
async function serve({ seed, from, only }: Order, send: (report: Report) => void): Promise<never> {
  const subjects = allSubjects().filter(({ name }) => name.includes(only));
  if (subjects.length === 0) throw new Error(`no subject has a name with ${JSON.stringify(only)} in it`);
  const next = new Map(subjects.map(({ name }) => [name, from[name] ?? 0]));
  for (;;) {
    for (const subject of subjects) {
      for (let slices = 0; slices < slicesInTurn; slices += 1) await readSlice(subject);
    }
  }

  async function readSlice(subject: Subject): Promise<void> {
    const { name } = subject;
    const first = next.get(name) ?? 0;
    send({ kind: "begins", subject: name, from: first });
    const slice = { seed, from: first, untilMs: performance.now() + sliceMs, count: Infinity };
    const { inputs, wrong } = await readInputs(subject, slice);
    next.set(name, first + inputs);
    const residentMiB = process.memoryUsage().rss / 1024 ** 2;
    send({ kind: "ended", subject: name, inputs, residentMiB, ...(wrong && { wrong }) });
    // lets messages go
    await Bun.sleep(0);
  }
}

process.once("message", (order: Order) => void serve(order, (report) => process.send?.(report)));
