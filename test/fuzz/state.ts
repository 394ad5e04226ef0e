import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a fuzzer has done so far, so that it can go on after a stop. */
export interface FuzzState {
  readonly seed: number;
  /** The inputs in process by subject; the next one has this number. */
  readonly inputs: Record<string, number>;
  /** The rounds over HTTP and sockets; the next one has this number. */
  rounds: number;
  /** Inputs over HTTP and sockets. */
  sent: number;
  readonly found: Found[];
}

/** An input that was read wrongly. */
export interface Found {
  /** The subject and the number of the input, or the round. */
  readonly where: string;
  readonly message: string;
}

/** Different inputs of one fault are many: more of them are not kept. */
const maxFound = 200;
const folder = join(import.meta.dir, "..", "..", ".fuzz");
const file = join(folder, "state.json");

/** Reads the state. @param seed undefined: that of the state, or a random one */
export function openState(seed: number | undefined, isNew: boolean): FuzzState {
  const stored = isNew || !existsSync(file) ? undefined : (JSON.parse(readFileSync(file, "utf8")) as FuzzState);
  if (stored !== undefined && (seed === undefined || seed === stored.seed)) return stored;
  const random = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
  return { seed: seed ?? random, inputs: {}, rounds: 0, sent: 0, found: [] };
}

/** Writes the state, so that a stop at any time leaves a whole one. */
export function saveState(state: FuzzState): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(state, null, 1));
  renameSync(`${file}.new`, file);
}

/** Notes a fault, once for each subject and first line, whatever numbers are in it. */
export function noteFound(state: FuzzState, found: Found): void {
  const key = ({ where, message }: Found): string =>
    `${where.split(" #")[0]} ${message.split("\n")[0]?.replace(/\d+/g, "0")}`;
  if (state.found.length >= maxFound || state.found.some((other) => key(other) === key(found))) return;
  state.found.push(found);
  console.log(`\nFOUND in ${found.where}:\n${found.message}\n`);
}

/** The sum of all inputs in process. */
export function inputsIn({ inputs }: FuzzState): number {
  return Object.values(inputs).reduce((sum, count) => sum + count, 0);
}
