import { open, rename, truncate, writeFile } from "node:fs/promises";
import { header } from "../ledger.ts";
import { type DrawnRows, secondsFrom } from "./drawn-rows.ts";
import { type Content, type FileRow, textOf, type Version, versionAt, whole, writeVersion } from "./versions.ts";

/** `append` adds rows, `half` too, of which the last one is cut, and `complete` adds its end; `shorten` cuts the file, often within a row;
 *  `replace` puts another file in its place, and `restore` one with a former content; `overwrite` writes over the file in place without
 *  changing its size; `rotate` renames the file, and begins another one. */
export type FileChange = "append" | "half" | "complete" | "shorten" | "replace" | "restore" | "overwrite" | "rotate";

/** The changes that end the reading of what the file contained. The first change of a run is one of them, and comes while the file is read:
 *  a streamer that does not notice it reads its next range from something else. */
export const endingChanges = ["overwrite", "replace", "rotate", "shorten"] as const satisfies readonly FileChange[];

/** If the last row is cut, only the first two are drawn: rows cannot be appended then. */
const drawnChanges = ["shorten", "replace", "append", "half", "half", "restore", "overwrite", "rotate"] as const;

export interface ChangingFileOptions {
  readonly path: string;
  readonly rows: DrawnRows;
  readonly random: () => number;
  /** The number of seconds in the file at first. */
  readonly seconds: number;
  readonly firstChange: (typeof endingChanges)[number];
}

/** A row that is completed within this time is read when it is whole: a reader waits at least 10 s for its end. */
const surelyWholeMs = 9000;
/** What the first change puts in place of the file is longer by this share at least: at its end, each reader would notice. */
const longerShare = 1.25;
/** Less than what is compared again in a file that grows: 64 KiB. */
const comparedBytes = 60 * 1024;

/** A file that changes while streamers read it. It remembers each content that the file had. */
export class ChangingFile {
  /** In the order of time: the last one is what the file contains now. */
  readonly versions: Version[] = [];
  /** The files that were rotated, under their new names. */
  readonly rotated: { readonly path: string; readonly version: Version }[] = [];
  private nextSecond: number;
  /** When the file was changed, or when a streamer was seen to wait for the end of its last row. */
  private awaitedSinceMs = 0;
  /** True if the last change is seen only by comparing all bytes, or the size: the file must not grow before each reader has seen it. */
  private isBeyondHead = false;

  private constructor(private readonly options: ChangingFileOptions) {
    this.nextSecond = options.seconds;
  }

  static async write(options: ChangingFileOptions): Promise<ChangingFile> {
    const file = new ChangingFile(options);
    const rows = options.rows.draw({ seconds: secondsFrom(0, options.seconds) });
    await file.add(() => writeVersion(options.path, whole(rows)));
    return file;
  }

  get current(): Version {
    return this.versions.at(-1) as Version;
  }

  /** True until the file has changed. */
  get isFirst(): boolean {
    return this.versions.length === 1;
  }

  /** Says that a streamer waits for the end of the last row since now, and is not held up. */
  noteWaiting(): void {
    this.awaitedSinceMs = Date.now();
  }

  /** Draws the next change. */
  draw(): FileChange {
    if (this.isFirst) return this.options.firstChange;
    if (this.isBeyondHead) return "replace";
    const index = Math.floor(this.options.random() * drawnChanges.length);
    // a row that is cut is mostly completed
    return this.current.cutBytes > 0 && index > 1 ? "complete" : (drawnChanges[index] as FileChange);
  }

  /** The change after which all rows are whole, and each reader sees what the file contains. */
  lastChange(): FileChange {
    if (this.isBeyondHead) return "replace";
    return this.current.cutBytes > 0 ? "complete" : "append";
  }

  /** @returns what was done, in words */
  async change(kind: FileChange): Promise<string> {
    const before = this.current.bytes;
    this.isBeyondHead = false;
    await this.add(() => this.changed(kind));
    return `${kind}: ${before} -> ${this.current.bytes} bytes`;
  }

  private async add(make: () => Promise<Version>): Promise<void> {
    const version = await make();
    this.versions.push(version);
    this.awaitedSinceMs = Date.now();
  }

  private changed(kind: FileChange): Promise<Version> {
    switch (kind) {
      case "append":
        return this.append(whole(this.freshRows()));
      case "half": {
        const rows = this.freshRows();
        return this.append({ rows, cutBytes: this.cutOf(rows) });
      }
      case "complete":
        return this.complete();
      case "shorten":
        return this.shorten();
      case "replace":
        return this.replaceWith(whole(this.otherRows()));
      case "restore":
        return this.replaceWith(this.versions[this.below(this.versions.length)] as Version);
      case "overwrite":
        return this.overwrite();
      case "rotate":
        return this.rotate();
    }
  }

  private below(count: number): number {
    return Math.floor(this.options.random() * count);
  }

  /** How much of the last row is missing: not all of it, but at least its labels. Without a part of these, it would be a row. */
  private cutOf(rows: readonly FileRow[]): number {
    const { text = "" } = rows.at(-1) ?? {};
    return text.length - 1 - this.below(text.indexOf(',"DCGM_FI_DRIVER'));
  }

  private freshRows(): FileRow[] {
    const seconds = secondsFrom(this.nextSecond, 1 + this.below(4));
    this.nextSecond += seconds.length;
    return this.options.rows.draw({ seconds });
  }

  /** Rows of seconds that the file had, with other values, and of fresh ones. */
  private otherRows(): FileRow[] {
    const { rows, random } = this.options;
    const first = this.below(this.nextSecond);
    const share = this.isFirst ? longerShare : 0.5 + random();
    return [...rows.draw({ seconds: secondsFrom(first, this.secondsOf(share)) }), ...this.freshRows()];
  }

  private secondsOf(share: number): number {
    return Math.ceil(this.options.seconds * share);
  }

  private async append({ rows, cutBytes }: Content): Promise<Version> {
    const content = { rows: [...this.current.rows, ...rows], cutBytes };
    return this.grow(content);
  }

  private async complete(): Promise<Version> {
    const { current } = this;
    current.lastRow = Date.now() - this.awaitedSinceMs < surelyWholeMs ? "whole" : "either";
    return this.grow(whole([...current.rows, ...(this.below(2) === 0 ? this.freshRows() : [])]));
  }

  private async grow(content: Content): Promise<Version> {
    const { path } = this.options;
    await writeFile(path, textOf(content).slice(this.current.bytes), { flag: "a" });
    return versionAt(path, content);
  }

  /** To a size at which only the size shows the change while the file does not grow, or to one at which also the head shows it. */
  private async shorten(): Promise<Version> {
    const { rows, offsets, bytes } = this.current;
    const maxBytes = this.below(2) === 0 ? Math.min(bytes, comparedBytes) : bytes;
    const count = 1 + this.below(Math.max(1, offsets.filter((offset) => offset < maxBytes * 0.9).length - 1));
    const kept = rows.slice(0, count);
    const content = { rows: kept, cutBytes: this.below(2) === 0 ? 0 : this.cutOf(kept) };
    const { path } = this.options;
    const length = textOf(content).length;
    await truncate(path, length);
    this.isBeyondHead = length > comparedBytes;
    return versionAt(path, content);
  }

  private async replaceWith(content: Content): Promise<Version> {
    const { path } = this.options;
    await writeFile(`${path}.new`, textOf(content));
    await rename(`${path}.new`, path);
    return versionAt(path, content);
  }

  /** The first time, and half of the time later, only bytes after the first 64 KiB change. */
  private async overwrite(): Promise<Version> {
    const { rows, offsets, cutBytes } = this.current;
    const fromByte = this.isFirst || this.below(2) === 0 ? 64 * 1024 : header.length;
    const others = rows.map((row, index) => {
      const isLast = index === rows.length - 1;
      return (offsets[index] as number) < fromByte || (isLast && cutBytes > 0) ? row : this.sameLength(row);
    });
    const content = { rows: others, cutBytes };
    const { path } = this.options;
    const file = await open(path, "r+");
    try {
      await file.write(textOf(content), 0);
    } finally {
      await file.close();
    }
    this.isBeyondHead = true;
    return versionAt(path, content);
  }

  /** The row, in half of the cases with another value of as many characters. */
  private sameLength(row: FileRow): FileRow {
    const { value, text } = row;
    if (value === undefined || this.below(2) === 0) return row;
    const digits = String(value);
    const last = digits.at(-1) as string;
    const other = digits.slice(0, -1) + String(1 + (Number(last) % 9));
    return { ...row, text: text.replace(`"${digits}","DCGM_FI`, `"${other}","DCGM_FI`), value: Number(other) };
  }

  private async rotate(): Promise<Version> {
    const { path, rows } = this.options;
    const newPath = `${path}.${this.rotated.length + 1}`;
    await rename(path, newPath);
    this.rotated.push({ path: newPath, version: await versionAt(newPath, this.current) });
    const seconds = secondsFrom(this.nextSecond, this.secondsOf(this.isFirst ? longerShare : 0.25));
    this.nextSecond += seconds.length;
    return writeVersion(path, whole(rows.draw({ seconds })));
  }
}
