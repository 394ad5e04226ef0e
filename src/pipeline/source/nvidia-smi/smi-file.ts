import { BatchBuilder } from "../../../domain/batch-builder.ts";
import { rawMaxLength, type RejectedInput, type RejectReason, valueMaxLength } from "../../../domain/batch.ts";
import { cutText } from "../../../domain/cut-text.ts";
import type { Position, Range } from "../../../domain/range.ts";
import { parseTimestamp } from "../../../domain/timestamp.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { FileGuard } from "../file/file-guard.ts";
import type { ChooseId } from "../file-ids.ts";
import { fileIds, type FileLook, type SeenFile } from "../file/file-look.ts";
import { openForReading } from "../file/open-file.ts";
import type { RangeBatch, ReplayableSource } from "../source.ts";
import { type DocumentInFile, documentMaxBytes, documentsInFile } from "./documents-in-file.ts";
import { findDocument, parseSmiLog, type SmiLog } from "./smi-document.ts";
import { readSmiLog } from "./smi-reader.ts";

export interface SmiFileOptions {
  readonly look: FileLook;
  readonly chooseId: ChooseId;
  readonly clusterId: string;
  /** The name of the machine that wrote the file. */
  readonly hostname: string;
  /** A batch ends after this many GPUs and MIG instances, at the end of a document. */
  readonly batchRows: number;
  /** Called at most once: the file has grown. */
  readonly onWarning: (message: string) => void;
}

interface OpenedFile {
  readonly seen: SeenFile;
  readonly sourceId: string;
  readonly guard: FileGuard;
}

/** A file of documents that `nvidia-smi -q -x` has printed, one or many (`-l`, `>>`). The time of a document is its own, which has no
 *  zone and is read as UTC. A document that cannot be used is rejected as a whole. */
export class SmiFile implements ReplayableSource {
  readonly sourceId: string;
  readonly description: string;
  readonly whole: Range;
  readonly unreadColumns: readonly string[] = [];
  readonly ownColumns: readonly string[] = [];

  /** Opens a file as it is now: bytes that are appended later are not read. @throws UnusableSource if it cannot be read */
  static async open(options: SmiFileOptions): Promise<SmiFile> {
    const { look, chooseId, onWarning: onGrown } = options;
    const seen = await look.see();
    const sourceId = await chooseId(fileIds("nvidia-smi-xml", seen));
    return new SmiFile(options, { seen, sourceId, guard: new FileGuard({ seen, onGrown }) });
  }

  private constructor(
    private readonly options: SmiFileOptions,
    private readonly opened: OpenedFile,
  ) {
    const { path, status } = opened.seen;
    this.sourceId = opened.sourceId;
    this.description = path;
    this.whole = { from: { offset: 0, line: 1 }, to: { offset: status.sizeBytes, line: 0 } };
  }

  async *read(range: Range, signal: AbortSignal): AsyncIterable<RangeBatch> {
    const builder = new BatchBuilder();
    let start = range.from;
    let end = range.from;
    const take = (): RangeBatch => {
      const batch = { range: { sourceId: this.sourceId, from: start, to: end }, batch: builder.build() };
      start = end;
      return batch;
    };
    for await (const document of this.documents(range.from, signal)) {
      if (document.from.offset >= range.to.offset) break;
      this.add(document, builder);
      end = document.to;
      if (builder.rows < this.options.batchRows) continue;
      await this.opened.guard.check();
      if (signal.aborted) return;
      yield take();
    }
    await this.opened.guard.check();
    if (end.offset > start.offset && !signal.aborted) yield take();
  }

  async *planRanges(from: Position, rangeBytes: number, signal: AbortSignal): AsyncIterable<Range> {
    let start = from;
    for await (const { to } of this.documents(from, signal)) {
      if (to.offset < this.whole.to.offset && to.offset - start.offset < rangeBytes) continue;
      await this.opened.guard.check(); // the ends of documents are valid only for this content
      if (signal.aborted) return;
      yield { from: start, to };
      start = to;
    }
  }

  private async *documents(from: Position, signal: AbortSignal): AsyncIterable<DocumentInFile> {
    const file = await openForReading(this.description);
    try {
      await this.opened.guard.check();
      for await (const document of documentsInFile(file, from, this.whole.to.offset)) {
        if (signal.aborted) return;
        yield document;
      }
    } finally {
      await file.close();
    }
  }

  private add(document: DocumentInFile, builder: BatchBuilder): void {
    const { clusterId, hostname } = this.options;
    const { line, offset: byte } = document.from;
    const place = { line, byte };
    const content = contentOf(document);
    if ("reason" in content) {
      builder.count("rows");
      const raw = cutText(document.xml ?? "", rawMaxLength);
      builder.reject({ ...place, ...content, value: cutText(content.value, valueMaxLength), raw });
      return;
    }
    const { log, timeMs, around } = content;
    if (around !== "") builder.reject(textOutside(around, place));
    readSmiLog(log, { clusterId, hostname, timeMs, list: undefined, place }, builder);
  }
}

/** Why a document cannot be used. */
interface DocumentError {
  readonly reason: RejectReason;
  readonly field: string;
  readonly value: string;
  readonly message: string;
}

/** A document that can be used. */
interface DocumentContent {
  readonly log: SmiLog;
  readonly timeMs: number;
  /** The text around the document. */
  readonly around: string;
}

function contentOf({ xml, isWhole }: DocumentInFile): DocumentContent | DocumentError {
  const unusable = { reason: "invalid_record", field: "", value: "" } as const;
  if (xml === undefined) {
    const message = `The document has more than ${documentMaxBytes / 2 ** 20} MiB.`;
    return { ...unusable, reason: "record_too_large", message };
  }
  if (!isWhole) return { ...unusable, message: "The file ends before the document does: it has no </nvidia_smi_log>." };
  try {
    const found = findDocument(xml) ?? { xml, around: "" };
    const log = parseSmiLog(found.xml);
    const time = timeOf(log.timestamp);
    return typeof time === "number" ? { log, timeMs: time, around: found.around } : time;
  } catch (error) {
    return { ...unusable, message: `The document is not one of nvidia-smi: ${messageOf(error)}.` };
  }
}

/** A warning of nvidia-smi, or another text that is not part of a document. */
function textOutside(text: string, place: Pick<RejectedInput, "line" | "byte">): RejectedInput {
  const message = "This text is not part of the XML; nvidia-smi prints warnings like this.";
  const value = cutText(text, valueMaxLength);
  return { ...place, reason: "invalid_record", field: "", value, message, raw: cutText(text, rawMaxLength) };
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Reads `Fri Aug  4 11:44:30 2023`, the form of C's asctime. */
function timeOf(timestamp: string): number | DocumentError {
  const field = "timestamp";
  if (timestamp === "") {
    const message = "The document has no timestamp; to read it as of now, set NVIDIA_SMI to a command that prints it.";
    return { reason: "missing_field", field, value: "", message };
  }
  const [, month = "", day = "", time, year] =
    /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) ([\d:]+) (\d{4})$/.exec(timestamp) ?? [];
  const number = String(months.indexOf(month) + 1).padStart(2, "0");
  const parsed = parseTimestamp(year === undefined ? timestamp : `${year}-${number}-${day.padStart(2, "0")}T${time}Z`);
  return "ms" in parsed ? parsed.ms : { ...parsed, field, value: timestamp };
}
