import { readFile, stat } from "node:fs/promises";
import { messageOf } from "../../kit/message-of.ts";

/** The largest file that is read: about 10,000 entries. */
const fileMaxBytes = 4 * 1024 * 1024;

/** What a file says, and what is wrong with the rest of it. */
export interface FileContent<Entry> {
  readonly entries: readonly Entry[];
  readonly problems: readonly string[];
}

/** A file of settings that is read again when it changes. */
export class RereadFile<Entry> {
  private text: string | undefined;
  private last: FileContent<Entry> = { entries: [], problems: [] };

  /** @param names the file in errors, as its setting does
   *  @param noun of the entries, in errors */
  constructor(
    private readonly path: string,
    private readonly names: { readonly setting: string; readonly noun: string },
    private readonly parse: (text: string) => FileContent<Entry>,
  ) {}

  /** Reads the file, if it has changed: otherwise, the list of entries is the same object. While the file cannot be read, the entries
   *  of the last reading stay, and a problem says so. */
  async read(): Promise<FileContent<Entry>> {
    const { setting, noun } = this.names;
    try {
      const { size } = await stat(this.path);
      if (size > fileMaxBytes) throw new Error(`it has ${size} bytes, more than ${fileMaxBytes}`);
      const text = await readFile(this.path, "utf8");
      if (text !== this.text) this.last = this.parse(text);
      this.text = text;
      return this.last;
    } catch (error) {
      const { entries } = this.last;
      const kept = this.text === undefined ? "" : `; the ${entries.length} ${noun} of the last reading stay valid`;
      return { entries, problems: [`${setting}=${this.path} cannot be read: ${messageOf(error)}${kept}`] };
    }
  }
}

/** An entry of a file, with its place for errors; `notJson` if its text is not JSON. */
export interface JsonEntry {
  readonly place: string;
  readonly value: unknown;
}

/** The value of a text that is not JSON. */
export const notJson = Symbol("not JSON");

/** The entries of a text: a JSON array of them, or one on each line. */
export function jsonEntriesIn(text: string): JsonEntry[] {
  const whole = parsed(text);
  if (Array.isArray(whole))
    return whole.map((value, index) => ({ place: `entry ${index + 1}`, value: value as unknown }));
  const lines = text.split("\n").map((line, index) => ({ place: `line ${index + 1}`, text: line.trim() }));
  return lines.flatMap((line) => (line.text === "" ? [] : [{ place: line.place, value: parsed(line.text) }]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return notJson;
  }
}
