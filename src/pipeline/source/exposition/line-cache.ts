import { ByteArena, type Piece } from "../bytes/byte-arena.ts";
import type { LineKey, Span } from "./line-key.ts";
import type { Metadata } from "./metadata.ts";
import type { Label, ScannedSeries } from "./scanned-exposition.ts";

/** The bytes of an exposition, twice: for reading bytes, and for comparing many at once. */
export interface ExpositionBytes {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** The labels between two braces. */
export interface LabelSet {
  readonly labels: readonly Label[];
  /** The name of the metric, if it is written among the labels: `{"gpu.temp",gpu="0"}`. */
  readonly metricName: string | undefined;
}

/** What a line is about: either a series or what a comment says about a family. */
export interface LineContent {
  readonly series: ScannedSeries | undefined;
  readonly metadata: Metadata | undefined;
  /** The labels of the series; undefined without braces. */
  readonly labelSet: LabelSet | undefined;
}

/** A line that was read before: a sample up to the end of its labels, or a whole comment. */
export interface KnownLine {
  readonly head: Piece;
  readonly tail: Piece;
  /** The length of both. */
  readonly byteCount: number;
  readonly series: ScannedSeries | undefined;
  readonly metadata: Metadata | undefined;
  /** The known line that followed this one the last time: exporters repeat the order of their lines. */
  next: KnownLine | undefined;
}

/** The limits of a scanner on which the size of its cache depends. */
export interface LineCacheLimits {
  readonly maxSeries: number;
  readonly maxLineBytes: number;
}

/** Keeps what the lines of an exposition are about, by their bytes, for the scans to come: a scrape repeats the texts and changes the
 *  numbers. So the name and the labels of a series are read once and compared from then on.
 *
 *  There are two generations. When the younger one is full, it becomes the older one, and the previous older one is dropped. A line
 *  of the older one that occurs again is also one of the younger. So a target whose labels change for ever takes the memory of two
 *  generations, and its other series keep their objects. */
export class LineCache {
  private young: Generation;
  private old: Generation;
  /** Its `next` is the first line of an exposition. */
  private beginning = noLine();
  /** The line that was found last. Its `next` is one of the younger generation, so no line of a dropped one stays in memory. */
  private last = this.beginning;

  constructor(private readonly limits: LineCacheLimits) {
    this.young = new Generation(limits);
    this.old = this.young;
  }

  /** Call it before the first line of an exposition. */
  rewind(): void {
    this.last = this.beginning;
  }

  /** @returns the line that followed the last one the last time, if its bytes are at `at` */
  expected({ view }: ExpositionBytes, at: number): KnownLine | undefined {
    const { next } = this.last;
    if (next === undefined || !this.young.isAt(next, view, at)) return undefined;
    this.last = next;
    return next;
  }

  find(key: LineKey, input: ExpositionBytes): KnownLine | undefined {
    const line = this.young.find(key, input);
    if (line !== undefined) return this.follow(line);
    const old = this.old.find(key, input);
    if (old === undefined) return undefined;
    return this.add(key, input, { ...old, labelSet: this.old.labelSet(key.tail, input) });
  }

  /** @returns the labels of a known line with the same text between the braces */
  labelSet({ tail }: LineKey, input: ExpositionBytes): LabelSet | undefined {
    return this.young.labelSet(tail, input) ?? this.old.labelSet(tail, input);
  }

  /** @returns the name of the metric of known lines that begin with the same text */
  name({ head }: LineKey, input: ExpositionBytes): string | undefined {
    return this.young.name(head, input) ?? this.old.name(head, input);
  }

  /** Adds a line that is not known. Its bytes must be UTF-8 without NUL bytes: see ByteArena. */
  add(key: LineKey, input: ExpositionBytes, content: LineContent): KnownLine {
    if (!this.young.hasRoomFor(key)) {
      this.old = this.young;
      this.young = new Generation(this.limits);
      this.beginning = noLine();
      this.last = noLine();
    }
    return this.follow(this.young.add(key, input, content));
  }

  private follow(line: KnownLine): KnownLine {
    this.last.next = line;
    this.last = line;
    return line;
  }
}

function noLine(): Pick<KnownLine, "next"> {
  return { next: undefined };
}

/** A head or tail. */
interface Text extends Piece {
  /** Another text with the same hash. */
  readonly other: Text | undefined;
  /** The number of other texts with the same hash that can be reached from this one. */
  readonly others: number;
  /** The lines of which this text is the tail. */
  lines: TailLines | undefined;
  labelSet: LabelSet | undefined;
  /** The name of the metric, of a text that is a head. */
  name: string | undefined;
}

/** Of more texts with the same hash, which no exporter prints by chance, the oldest ones are forgotten. */
const maxOthers = 8;

/** The bytes of texts that a generation keeps for each series that it may have. Most series share their labels with others, and their
 *  name with others. */
const bytesPerSeries = 256;

/** More lines than an exporter has of a device; so many are found as fast as in a map. */
const maxFew = 64;

/** The lines of a tail. A map takes 100 bytes for each line, so only the lines of a tail that has very many are in one. */
class TailLines {
  private readonly few: KnownLine[] = [];
  private many: Map<Piece, KnownLine> | undefined;

  find(head: Piece): KnownLine | undefined {
    if (this.many !== undefined) return this.many.get(head);
    for (const line of this.few) if (line.head === head) return line;
    return undefined;
  }

  /** Adds a line whose head no line has. */
  add(line: KnownLine): void {
    if (this.many !== undefined) this.many.set(line.head, line);
    else if (this.few.push(line) > maxFew) {
      this.many = new Map(this.few.map((each) => [each.head, each]));
      this.few.length = 0;
    }
  }
}

class Generation {
  private readonly arena: ByteArena;
  private readonly heads = new Map<number, Text>();
  private readonly tails = new Map<number, Text>();
  private lineCount = 0;

  constructor(private readonly limits: LineCacheLimits) {
    this.arena = new ByteArena(Math.max(limits.maxSeries * bytesPerSeries, limits.maxLineBytes));
  }

  hasRoomFor({ byteCount }: LineKey): boolean {
    return this.lineCount < this.limits.maxSeries && this.arena.hasRoomFor(byteCount);
  }

  isAt({ head, tail }: KnownLine, view: DataView, at: number): boolean {
    return this.arena.isAt(head, view, at) && this.arena.isAt(tail, view, at + head.length);
  }

  find({ head, tail }: LineKey, { view }: ExpositionBytes): KnownLine | undefined {
    const foundHead = this.text(this.heads, head, view);
    return foundHead === undefined ? undefined : this.text(this.tails, tail, view)?.lines?.find(foundHead);
  }

  labelSet(tail: Span, { view }: ExpositionBytes): LabelSet | undefined {
    return this.text(this.tails, tail, view)?.labelSet;
  }

  name(head: Span, { view }: ExpositionBytes): string | undefined {
    return this.text(this.heads, head, view)?.name;
  }

  add(key: LineKey, input: ExpositionBytes, content: LineContent): KnownLine {
    const head = this.text(this.heads, key.head, input.view) ?? this.addText(this.heads, key.head, input.bytes);
    const tail = this.text(this.tails, key.tail, input.view) ?? this.addText(this.tails, key.tail, input.bytes);
    tail.labelSet ??= content.labelSet;
    if (key.head.length > 0) head.name ??= content.series?.name;
    const { series, metadata } = content;
    const { byteCount } = key;
    const line: KnownLine = { head, tail, byteCount, series, metadata, next: undefined };
    tail.lines ??= new TailLines();
    tail.lines.add(line);
    this.lineCount += 1;
    return line;
  }

  private text(texts: ReadonlyMap<number, Text>, { start, length, hash }: Span, view: DataView): Text | undefined {
    let text = texts.get(hash);
    while (text !== undefined && (text.length !== length || !this.arena.isAt(text, view, start))) {
      text = text.other;
    }
    return text;
  }

  private addText(texts: Map<number, Text>, { start, end, hash }: Span, bytes: Uint8Array): Text {
    const piece = this.arena.add(bytes.subarray(start, end));
    const same = texts.get(hash);
    const other = same !== undefined && same.others < maxOthers ? same : undefined;
    const others = other === undefined ? 0 : other.others + 1;
    const text: Text = {
      start: piece.start,
      length: piece.length,
      other,
      others,
      lines: undefined,
      labelSet: undefined,
      name: undefined,
    };
    texts.set(hash, text);
    return text;
  }
}
