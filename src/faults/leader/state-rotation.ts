import type { Fleet } from "../evaluator/fleet.ts";
import { hostPart, type PartName, type SavedPart, timePart } from "../evaluator/saved-part.ts";
import type { FaultSubject } from "../fault.ts";

/** All parts are saved within this time. To save those of 10,000 GPUs at once would take 260 ms. */
const roundMs = 180_000;
/** What was never saved is saved soon: without a state, the first record of a device says nothing about what has changed. */
const newAtATime = 500;

/** Chooses which parts of the evaluator's state are saved: at once those that a told change is about, the others in turn. A part that has
 *  not changed is not saved again. */
export class StateRotation {
  /** The hashes of the saved texts, by part. */
  private readonly saved = new Map<string, number | bigint>();
  private waiting: PartName[] = [];
  private ofRound = 0;
  /** How many at the end of `waiting` were never saved. */
  private ofNew = 0;
  /** Whether a device was seen that is not in `waiting`. */
  private seesMore = false;

  /** @param saved what the store has */
  constructor(
    private readonly fleet: Fleet,
    saved: readonly SavedPart[],
  ) {
    for (const part of saved) this.saved.set(keyOf(part), Bun.hash(part.state ?? ""));
  }

  /** The parts that have to be saved together with the changes of these subjects. */
  ofSubjects(subjects: readonly FaultSubject[]): SavedPart[] {
    const names = new Map<string, PartName>();
    const add = (name: PartName): void => void names.set(keyOf(name), name);
    for (const { kind, clusterId, hostname, uuid } of subjects) {
      const device = kind === "device" ? this.fleet.device(uuid) : undefined;
      if (kind === "device") add({ kind, place: uuid });
      if (kind === "device" || kind === "host") add(hostPart(device ?? { clusterId, hostname }));
      add({ kind: "cluster", place: device?.clusterId ?? clusterId });
    }
    if (names.size > 0) add(timePart);
    return this.changed([...names.values()]);
  }

  /** True if there are devices that were never saved. */
  get hasNew(): boolean {
    return this.seesMore || this.ofNew > 0;
  }

  /** Notes that a device is seen for the first time. A successor reads the records from the first such instant on: those since the newest
   *  ones of the saved devices would not be enough.
   *  @param sinceMs the instant of its record; undefined if that is too old to be read */
  seesNew(sinceMs: number | undefined): void {
    const { time } = this.fleet;
    this.seesMore = true;
    if (sinceMs !== undefined) time.unsavedSinceMs = Math.min(time.unsavedSinceMs ?? Infinity, sinceMs);
  }

  /** Notes before a write whether the ones before have saved all devices. */
  noteSaved(): void {
    if (!this.hasNew) delete this.fleet.time.unsavedSinceMs;
  }

  /** The parts whose turn it is. @param passedMs the time since the last call */
  next(passedMs: number): SavedPart[] {
    if (this.waiting.length === 0 || this.seesMore) this.begin();
    const count = Math.max(Math.ceil((this.ofRound * passedMs) / roundMs), Math.min(this.ofNew, newAtATime));
    this.ofNew = Math.max(0, this.ofNew - count);
    return this.changed([...this.waiting.splice(-count), timePart]);
  }

  private begin(): void {
    const parts = [...this.fleet.parts()];
    const present = new Set(parts.map(keyOf));
    const isNew = (name: PartName): boolean => !this.saved.has(keyOf(name));
    const forgotten = [...this.saved.keys()]
      .filter((key) => !present.has(key))
      .map((key) => JSON.parse(key) as PartName);
    const added = parts.filter(isNew);
    this.waiting = [...forgotten, ...parts.filter((name) => !isNew(name)), ...added];
    this.ofRound = this.waiting.length;
    this.ofNew = added.length;
    this.seesMore = false;
  }

  private changed(names: readonly PartName[]): SavedPart[] {
    return names.flatMap((name) => {
      const part = this.fleet.savePart(name);
      const [key, hash] = [keyOf(name), Bun.hash(part.state ?? "")];
      if (part.state === null ? !this.saved.delete(key) : this.saved.get(key) === hash) return [];
      if (part.state !== null) this.saved.set(key, hash);
      return [part];
    });
  }
}

const keyOf = ({ kind, place }: PartName): string => JSON.stringify({ kind, place });
