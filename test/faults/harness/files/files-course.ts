import { join } from "node:path";
import { until } from "../../../../dev/until.ts";
import type { EtcdClient } from "../../../../src/etcd/etcd-client.ts";
import { get, prefixRange } from "../../../../src/etcd/requests.ts";
import { CheckpointKeys } from "../../../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { readPlan, readRange } from "../../../../src/pipeline/stream/assignment/stored-plan.ts";
import { gpuCount } from "../ledger.ts";
import type { Worker } from "../workers.ts";
import type { ChangingFile, FileChange } from "./changing-file.ts";
import { type DrawnRows, secondsFrom } from "./drawn-rows.ts";
import { type Version, whole, writeVersion } from "./versions.ts";

export interface FilesCourseOptions {
  readonly folder: string;
  readonly etcd: EtcdClient;
  readonly topic: string;
  /** The rows of files that arrive. */
  readonly rows: DrawnRows;
  /** Random numbers for what arrives. */
  readonly arrivals: () => number;
  /** Random numbers for when the file changes. */
  readonly changes: () => number;
  readonly durationMs: number;
  readonly changing: ChangingFile;
  /** The streamers of the file that changes. */
  readonly streamers: readonly Worker[];
  /** The streamer of the files that arrive. */
  readonly reader: Worker;
  readonly record: (event: string) => void;
  readonly reportViolations: (...found: readonly string[]) => void;
}

/** A file that arrives: `repeat` is a copy of the file that changes, `overlap` has rows of it, with the same values and with others, and
 *  `late` has records from before. */
const arrivals = ["repeat", "overlap", "late"] as const;
type Arrival = (typeof arrivals)[number];

/** Longer than any fault that a streamer waits out lasts, its own clock's included. */
const readMaxMs = 150_000;
/** The change of a file waits this long for its streamers at the most. */
const begunMaxMs = 8000;
/** The first change waits this long until the file is read: longer than most faults hold its streamers up. */
const readInPartMaxMs = 30_000;
/** After the first change, streamers that do not notice it read on for this long at the most. */
const leftMaxMs = 20_000;
/** For this long, no streamer owns a range: none is between two ranges. */
const leftForMs = 1000;
/** The end of a row that is cut comes so much later at the most, and a little more: before a streamer reads the row as it is. */
const cutRowMaxMs = 5000;
/** After the faults, a streamer comes to it within this time, and its end comes so much later: a streamer that does not wait has read it. */
const calmCutRowMaxMs = 60_000;
const noticedMs = 1000;
/** Records that are late are so much older than the others. */
const lateSeconds = 7200;

/** What happens to files while a run lasts, as an operator does it: a file changes, and its streamers are started again, or are not; and
 *  a streamer reads one file after another that arrives. */
export class FilesCourse {
  /** The files that arrived, and that were read to their ends. */
  readonly arrived: Version[] = [];
  /** The contents whose last row was completed after a streamer had come to it. */
  readonly completed: Version[] = [];

  constructor(private readonly options: FilesCourseOptions) {}

  /** Resolves when the file has changed as often as it should, and what arrives is published. */
  async run(): Promise<void> {
    await Promise.all([this.changeFile(), this.readArrivals()]);
  }

  /** After the faults: resolves when all files are published, as they are in the end. */
  async finish(): Promise<void> {
    await this.finishFile();
    for (const { path, version } of this.options.changing.rotated) await this.readNext(path, version);
  }

  private async changeFile(): Promise<void> {
    const { changing, changes: random, durationMs, streamers, record } = this.options;
    for (let atMs = 0; atMs < durationMs;) {
      const { isFirst } = changing;
      const [waitMs, isBegun, restarts, afterMs] = [
        isFirst ? random() * 700 : 500 + random() * 1700,
        random() < 0.6,
        random() < 0.6 || isFirst,
        random() * 800,
      ];
      atMs += waitMs + (restarts ? afterMs : 0);
      // some contents are read in part, and some are not noticed
      if (isFirst) await this.untilReadInPart(changing.current);
      else if (isBegun) await this.untilBegun(changing.current);
      if (changing.current.cutBytes > 0) await this.isAtCutRow(changing.current, cutRowMaxMs);
      await Bun.sleep(waitMs);
      const before = changing.current;
      record(`the file changes: ${await changing.change(changing.draw())}`);
      if (isFirst) await this.untilLeft(before);
      if (!restarts) continue;
      await Bun.sleep(afterMs);
      record("restart its streamers");
      await Promise.all(streamers.map((streamer) => streamer.restart()));
    }
  }

  /** After the faults: a streamer comes to a row that is cut, and to its end later; then the file changes for the last time. */
  private async finishFile(): Promise<void> {
    const { changing } = this.options;
    await this.changeAndRestart(changing.lastChange());
    await this.changeAndRestart("half");
    const cut = changing.current;
    if (await this.isAtCutRow(cut, calmCutRowMaxMs)) {
      changing.noteWaiting();
      await Bun.sleep(noticedMs);
      this.options.record(`the file changes: ${await changing.change("complete")}`);
      await this.untilRead(cut);
      this.completed.push(cut);
    } else this.options.reportViolations(`I5: no streamer came to the last row of ${cut.sourceId}`);
    await this.changeAndRestart(changing.lastChange());
    await this.untilRead(changing.current);
  }

  private async changeAndRestart(change: FileChange): Promise<void> {
    const { changing, streamers, record } = this.options;
    record(`the file changes, and its streamers are restarted: ${await changing.change(change)}`);
    await Promise.all(streamers.map((streamer) => streamer.restart()));
  }

  private async readArrivals(): Promise<void> {
    const { arrivals: random, durationMs, folder } = this.options;
    const drawn = arrivals.map((kind) => ({ kind, place: random(), waitMs: (random() * durationMs) / 3 }));
    for (const { kind, waitMs } of drawn.sort((a, b) => a.place - b.place)) {
      await Bun.sleep(waitMs);
      const path = join(folder, `${kind}.csv`);
      const version = await this.arrive(kind, path);
      this.arrived.push(version);
      await this.readNext(path, version);
    }
  }

  private arrive(kind: Arrival, path: string): Promise<Version> {
    const { rows, arrivals: random, changing } = this.options;
    const { current } = changing;
    switch (kind) {
      case "repeat":
        return writeVersion(path, current);
      case "overlap": {
        const from = Math.floor(random() * current.rows.length * 0.7);
        const same = current.rows.slice(from, from + 400);
        const gpus = secondsFrom(Math.floor(random() * 20), gpuCount / 2);
        const contradicted = [0.2, 0.6].map(
          (share) => current.rows[Math.floor(current.rows.length * share)]?.second ?? 0,
        );
        const others = rows.draw({ seconds: [...new Set(contradicted), 500], gpus });
        return writeVersion(path, whole([...same, ...others]));
      }
      case "late":
        return writeVersion(path, whole(rows.draw({ seconds: secondsFrom(-lateSeconds, 5) })));
    }
  }

  /** Gives the reader its next file, and waits until it has read it. */
  private async readNext(path: string, version: Version): Promise<void> {
    const { reader, record } = this.options;
    record(`${version.name} arrives`);
    const restarted = reader.restart({ CSV_FILE: path });
    reader.start();
    await restarted;
    await this.untilRead(version);
  }

  /** Waits until a streamer has begun to read a file, or waits no longer. */
  private async untilBegun({ sourceId }: Version): Promise<void> {
    const { etcd, topic } = this.options;
    const { plan } = new CheckpointKeys(topic, sourceId);
    const isBegun = async (): Promise<boolean> =>
      (await etcd.txn({ success: [get(plan)] })).responses[0]?.response_range.kvs.length === 1;
    await until(() => isBegun().catch(() => false), { timeoutMs: begunMaxMs, everyMs: 50 }).catch(() => undefined);
  }

  /** Waits until a part of a file is published, and no streamer has come to the last part of it; or waits no longer. */
  private async untilReadInPart({ sourceId }: Version): Promise<void> {
    const { etcd, topic } = this.options;
    const keys = new CheckpointKeys(topic, sourceId);
    const isThere = async (): Promise<boolean> => {
      const prefixes = [keys.ranges, keys.owners].map((prefix) => ({ request_range: prefixRange(prefix) }));
      const { responses } = await etcd.txn({ success: prefixes });
      const [stored = [], owners = []] = responses.map(({ response_range }) => response_range.kvs);
      const owned = new Set(owners.map(({ key }) => key.toString()));
      const ranges = stored.map(({ value }) => readRange(value));
      const isOpen = ({ from, at }: (typeof ranges)[number]): boolean =>
        at.offset > from.offset || owned.has(keys.owner(from.offset));
      return ranges.some(({ from, at }) => at.offset > from.offset) && !ranges.every(isOpen);
    };
    const options = { timeoutMs: readInPartMaxMs, everyMs: 50 };
    await until(() => isThere().catch(() => false), options).catch(() => undefined);
  }

  /** Waits until no streamer reads a content any more, because all of them have noticed that the file has another one, or have read it to
   *  its end; or waits no longer. */
  private async untilLeft({ sourceId }: Version): Promise<void> {
    const { etcd, topic } = this.options;
    const { owners } = new CheckpointKeys(topic, sourceId);
    let leftSinceMs: number | undefined;
    const isLeft = async (): Promise<boolean> => {
      const { count } = await etcd.range({ ...prefixRange(owners), count_only: true });
      leftSinceMs = count === "0" ? (leftSinceMs ?? Date.now()) : undefined;
      return leftSinceMs !== undefined && Date.now() - leftSinceMs >= leftForMs;
    };
    const options = { timeoutMs: leftMaxMs, everyMs: 100 };
    await until(() => isLeft().catch(() => false), options).catch(() => undefined);
  }

  /** Waits until a streamer waits for the end of a row that is cut. @returns false if none does in this time */
  private async isAtCutRow({ sourceId, offsets }: Version, timeoutMs: number): Promise<boolean> {
    const { etcd, topic, record } = this.options;
    const { ranges } = new CheckpointKeys(topic, sourceId);
    const isThere = async (): Promise<boolean> => {
      const { kvs } = await etcd.range(prefixRange(ranges));
      return kvs.some(({ value }) => readRange(value).at.offset === offsets.at(-1));
    };
    const isReached = await until(() => isThere().catch(() => false), { timeoutMs, everyMs: 50 }).catch(() => false);
    if (isReached) record("a streamer waits for the end of a row");
    return isReached;
  }

  private async untilRead({ name, sourceId }: Version): Promise<void> {
    const { etcd, topic, record, reportViolations } = this.options;
    const { plan } = new CheckpointKeys(topic, sourceId);
    const isDone = async (): Promise<boolean> => {
      const { responses } = await etcd.txn({ success: [get(plan)] });
      const value = responses[0]?.response_range.kvs[0]?.value;
      return value !== undefined && readPlan(value).state === "done";
    };
    await until(() => isDone().catch(() => false), { timeoutMs: readMaxMs, everyMs: 100 }).then(
      () => record(`${name} is read`),
      () => reportViolations(`I5: ${name} (${sourceId}) is not published after ${readMaxMs / 1000} s`),
    );
  }
}
