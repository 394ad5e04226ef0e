import type { ArchivedFile } from "../../../domain/archive.ts";
import { turnOfOthers } from "../../../kit/turn.ts";
import type { NewFile } from "./archive-files.ts";
import type { ArchiveRow, RowFile } from "./archive-format.ts";

/** Rows whose values are taken over at a time, which takes some milliseconds. */
const rowsAtOnce = 500;

/** The file of a cluster's hour while it is written. */
export class ClusterFile {
  /** Rows that are in memory. */
  private pendingRows = 0;
  private rows: ArchiveRow[] = [];
  private records = 0;
  private bytes = 0;
  private readonly hash = new Bun.CryptoHasher("sha256");

  constructor(
    private readonly names: Pick<ArchivedFile, "clusterId" | "path">,
    private readonly made: RowFile,
    private readonly file: NewFile,
  ) {}

  /** Rows in memory. */
  get pending(): number {
    return this.pendingRows;
  }

  async add(row: ArchiveRow): Promise<void> {
    this.rows.push(row);
    this.records += 1;
    this.pendingRows += 1;
    if (this.rows.length < rowsAtOnce) return;
    this.take();
    await turnOfOthers();
    if (this.made.isFull) await this.writeGroup();
  }

  /** Writes the rows in memory. @throws ArchiveUnavailable */
  async writeGroup(): Promise<void> {
    this.take();
    await this.made.writeGroup(turnOfOthers);
    this.pendingRows = 0;
    await this.writeBytes();
  }

  /** Writes the end of the file; it is not shown yet. @throws ArchiveUnavailable */
  async end(): Promise<void> {
    await this.writeGroup();
    this.made.finish();
    await this.writeBytes();
  }

  /** Shows the file. @throws ArchiveUnavailable */
  async show(): Promise<ArchivedFile> {
    const { names, records, bytes, hash, file } = this;
    await file.finish();
    return { ...names, records, bytes, sha256: hash.digest("hex") };
  }

  discard(): Promise<void> {
    return this.file.discard();
  }

  private take(): void {
    if (this.rows.length > 0) this.made.add(this.rows);
    this.rows = [];
  }

  private async writeBytes(): Promise<void> {
    const bytes = this.made.taken();
    if (bytes.length === 0) return;
    this.hash.update(bytes);
    this.bytes += bytes.length;
    await this.file.write(bytes);
  }
}
