import { type Device, type DeviceRecord, type DeviceState, deviceStates, type Holder } from "./device.ts";
import { type MetricKey, type RecordField, recordFields } from "./metric.ts";

/** As in the API, a device is silent if its newest record is this much older than the newest one of its cluster. A record of the future
 *  counts as one of the instant at which it arrived. */
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
  /** Until when devices have reported: the instants of their newest records, at most those of their arrival. */
  private reportedMs = new Float64Array();
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

  /** Until when the fleet has reported; -Infinity without records. */
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
    const { positions, columns, timesMs, reportedMs, holders } = this;
    const old = { positions, columns, timesMs, reportedMs, holders };
    const clusters = [...new Set(devices.map(({ clusterId }) => clusterId))];
    const numbers = new Map(clusters.map((id, number) => [id, number]));
    this.devices = devices;
    this.clusters = clusters;
    this.positions = new Map(devices.map(({ uuid }, position) => [uuid, position]));
    this.columns = columnsOf(devices.length);
    this.timesMs = new Float64Array(devices.length).fill(-Infinity);
    this.reportedMs = new Float64Array(devices.length).fill(-Infinity);
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
      this.timesMs[position] = old.timesMs[before] ?? -Infinity;
      this.noteReported(position, old.reportedMs[before] ?? -Infinity);
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
   *  @param arrivedAtMs when it arrived; undefined: it is one of a list, and may have arrived long ago
   *  @returns false if the device is not in the list */
  apply({ uuid, timeMs, values, holders }: DeviceRecord, arrivedAtMs?: number): boolean {
    const position = this.positions.get(uuid);
    if (position === undefined) return false;
    this.noteReported(position, this.reportedBy(position, timeMs, arrivedAtMs));
    if (timeMs < (this.timesMs[position] ?? 0)) return true;
    for (const name of recordFields) {
      const value = values[name];
      this.columns[name][position] = typeof value === "number" ? value : NaN;
    }
    if (holders !== undefined) this.holders[position] = holders;
    this.timesMs[position] = timeMs;
    if (this.states[position] !== 2) this.states[position] = 0;
    this.note(position);
    return true;
  }

  /** Finds out which devices have become stale. Their colours change although no record has arrived.
   *  @param nowMs the present */
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
    if ((this.timesMs[position] ?? -Infinity) === -Infinity) return 3;
    const newestMs = this.newestMs[this.clusterOf[position] ?? 0] ?? 0;
    const silentMs = Math.min(newestMs, this.nowMs) - (this.reportedMs[position] ?? -Infinity);
    return silentMs <= staleAfterMs ? 0 : 1;
  }

  /** Until when a device has reported by a record. */
  private reportedBy(position: number, timeMs: number, arrivedAtMs: number | undefined): number {
    if (arrivedAtMs !== undefined) return Math.min(timeMs, arrivedAtMs);
    if (timeMs <= this.nowMs) return timeMs;
    return this.devices[position]?.isReporting === true ? this.nowMs : -Infinity;
  }

  private noteReported(position: number, atMs: number): void {
    if (atMs <= (this.reportedMs[position] ?? -Infinity)) return;
    this.reportedMs[position] = atMs;
    const cluster = this.clusterOf[position] ?? 0;
    if (atMs > (this.newestMs[cluster] ?? -Infinity)) this.newestMs[cluster] = atMs;
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
