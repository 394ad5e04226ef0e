import { mutated } from "./mutate.ts";

/** Something that reads what others write. */
export interface Subject {
  readonly name: string;
  /** Makes an input and reads it. @throws an error that no input may cause */
  run(random: () => number): void | Promise<void>;
  readonly close?: () => Promise<void>;
}

/** An error class that says that an input is not usable. */
type Refusal = abstract new (...given: never[]) => Error;

export interface BytesSubject {
  readonly name: string;
  /** Inputs that are usable, or nearly so. */
  readonly seeds: readonly (string | Uint8Array)[];
  /** Classes of errors by which an input is refused. */
  readonly refusals?: readonly Refusal[];
  readonly read: (input: Buffer) => unknown;
}

/** What went wrong with an input. */
export class WrongInput extends Error {
  constructor(
    readonly input: string,
    cause: unknown,
  ) {
    super(`${String(cause instanceof Error ? cause.stack : cause)}\ninput: ${input}`, { cause });
  }
}

/** A subject that reads mutated bytes. */
export function bytesSubject({ name, seeds, refusals = [], read }: BytesSubject): Subject {
  const bytes = seeds.map((seed) => (typeof seed === "string" ? Buffer.from(seed) : seed));
  return {
    name,
    run: async (random) => {
      const input = mutated(bytes[Math.floor(random() * bytes.length)] ?? Buffer.alloc(0), random);
      try {
        await read(input);
      } catch (error) {
        if (!refusals.some((refusal) => isOf(error, refusal))) throw new WrongInput(shown(input), error);
      }
    },
  };
}

/** A subject that reads mutated texts. */
export function textSubject({
  read,
  ...subject
}: Omit<BytesSubject, "read"> & { readonly read: (text: string) => unknown }) {
  return bytesSubject({ ...subject, read: (input) => read(input.toString("utf8")) });
}

/** Checks something that holds for every input. @throws Error with the text if it does not */
export function must(holds: boolean, text: string): void {
  if (!holds) throw new Error(text);
}

function shown(input: Buffer): string {
  return `${input.length} bytes, in base64: ${input.subarray(0, 6000).toString("base64")}`;
}

/** `Error` itself stands for errors of no class of their own: a TypeError is no refusal. */
function isOf(error: unknown, refusal: Refusal): boolean {
  return refusal === Error ? error instanceof Error && error.constructor === Error : error instanceof refusal;
}
