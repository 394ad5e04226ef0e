import { type Device, type DeviceRecord, type DeviceState, deviceStates, type Holder } from "./device.ts";
import { type MetricKey, type RecordField, recordFields } from "./metric.ts";

/** As in the API, a device is silent if its newest record is this much older than the newest one of its cluster that is not of the
 *  future. */
const staleAfterMs = 60_000;

const noHolders: readonly Holder[] = [];
type Columns = Readonly<Record<RecordField, Float64Array>>;

/** The newest record of every device, in columns: an update writes a few numbers, and a pass over 100,000 devices takes about a
 *  millisecond. A device is known by its position in the list, which is ordered by host and index. NaN: no value. */
export class FleetData {
  devices: readonly Device[] = [];
  holders: (readonly Holder[])[] = [];
  /** The instants of the newest records. */
  timesMs = new Float64Array();
  /** Positions in `deviceStates`. */
  states = new Uint8Array();
  private positions = new Map<string, number>();
  private columns: Columns = columnsOf(0);
  private clusterOf = new Uint16Array();
  private clusters: readonly string[] = [];
  private newestMs: number[] = [];
  private nowMs = Infinity;
  private changed: number[] = [];
  private isChanged = new Uint8Array();

  get size(): number {
    return this.devices.length;
  }

  /** The instant of the fleet's newest record; -Infinity without records. */
  get newestAtMs(): number {
    return this.newestMs.reduce((newest, atMs) => Math.max(newest, atMs), -Infinity);
  }

  positionOf(uuid: string): number | undefined {
    return this.positions.get(uuid);
  }

  field(name: RecordField): Float64Array {
    return this.columns[name];
  }

  /** The value that the heat map shows; NaN: none. */
  value(metric: MetricKey, position: number): number {
    if (metric !== "memory_used") return this.columns[metric][position] ?? NaN;
    const used = this.columns.memory_used_mb[position] ?? NaN;
    return (100 * used) / (used + (this.columns.memory_free_mb[position] ?? NaN));
  }

  stateOf(position: number): DeviceState {
    return deviceStates[this.states[position] ?? 0] ?? "unreported";
  }

  /** Replaces the list of devices. Those that were in the list keep their values. */
  replaceDevices(devices: readonly Device[]): void {
    const old = { positions: this.positions, columns: this.columns, timesMs: this.timesMs, holders: this.holders };
    const clusters = [...new Set(devices.map(({ clusterId }) => clusterId))];
    const numbers = new Map(clusters.map((id, number) => [id, number]));
    this.devices = devices;
    this.clusters = clusters;
    this.positions = new Map(devices.map(({ uuid }, position) => [uuid, position]));
    this.columns = columnsOf(devices.length);
    this.timesMs = new Float64Array(devices.length).fill(-Infinity);
    this.holders = devices.map(() => noHolders);
    this.clusterOf = Uint16Array.from(devices, ({ clusterId }) => numbers.get(clusterId) ?? 0);
    this.newestMs = clusters.map(() => -Infinity);
    this.states = new Uint8Array(devices.length);
    this.isChanged = new Uint8Array(devices.length);
    this.changed = [];
    devices.forEach(({ uuid }, position) => {
      const before = old.positions.get(uuid);
      if (before === undefined) return;
      for (const name of recordFields) this.columns[name][position] = old.columns[name][before] ?? NaN;
      this.holders[position] = old.holders[before] ?? noHolders;
      this.noteTime(position, old.timesMs[before] ?? -Infinity);
    });
    this.updateStates(this.nowMs);
  }

  /** Notes when clusters have last reported, for a list that does not have all of their devices. */
  noteClusterTimes(timesMs: ReadonlyMap<string, number>): void {
    this.newestMs = this.newestMs.map((atMs, number) =>
      Math.max(atMs, timesMs.get(this.clusters[number] ?? "") ?? -Infinity),
    );
  }

  /** Takes a record, unless a newer one of its device is known.
   *  @returns false if the device is not in the list */
  apply({ uuid, timeMs, values, holders }: DeviceRecord): boolean {
    const position = this.positions.get(uuid);
    if (position === undefined) return false;
    if (timeMs < (this.timesMs[position] ?? 0)) return true;
    for (const name of recordFields) {
      const value = values[name];
      this.columns[name][position] = typeof value === "number" ? value : NaN;
    }
    if (holders !== undefined) this.holders[position] = holders;
    this.noteTime(position, timeMs);
    if (this.states[position] !== 2) this.states[position] = 0;
    this.note(position);
    return true;
  }

  /** Finds out which devices have become stale. Their colours change although no record has arrived.
   *  @param nowMs the present: one host whose clock is ahead must not make the others stale */
  updateStates(nowMs: number): void {
    this.nowMs = nowMs;
    for (let position = 0; position < this.devices.length; position++) {
      const state = this.presentState(position);
      if (state === this.states[position]) continue;
      this.states[position] = state;
      this.note(position);
    }
  }

  /** The positions of the devices that have changed since the last call. */
  takeChanged(): readonly number[] {
    const { changed } = this;
    for (const position of changed) this.isChanged[position] = 0;
    this.changed = [];
    return changed;
  }

  private presentState(position: number): number {
    if (this.devices[position]?.isUnderMaintenance === true) return 2;
    const timeMs = this.timesMs[position] ?? -Infinity;
    if (timeMs === -Infinity) return 3;
    const newestMs = this.newestMs[this.clusterOf[position] ?? 0] ?? 0;
    return Math.min(newestMs, this.nowMs) - timeMs > staleAfterMs ? 1 : 0;
  }

  private noteTime(position: number, timeMs: number): void {
    this.timesMs[position] = timeMs;
    const cluster = this.clusterOf[position] ?? 0;
    if (timeMs > (this.newestMs[cluster] ?? -Infinity)) this.newestMs[cluster] = timeMs;
  }

  private note(position: number): void {
    if (this.isChanged[position] === 1) return;
    this.isChanged[position] = 1;
    this.changed.push(position);
  }
}

function columnsOf(size: number): Columns {
  const column = () => new Float64Array(size).fill(NaN);
  return Object.fromEntries(recordFields.map((name) => [name, column()])) as Record<RecordField, Float64Array>;
}
