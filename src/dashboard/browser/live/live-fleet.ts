import type { TelemetryUpdateMessage } from "../../../../clients/typescript/src/generated/messages.ts";
import { LiveConnection, type ServerMessage } from "../../../../clients/typescript/src/live-connection.ts";
import type { DeviceRecord } from "../../model/device.ts";
import { FleetData } from "../../model/fleet-data.ts";
import { recordFields } from "../../model/metric.ts";
import { after, every, nowMs } from "../clock.ts";
import { Emitter } from "./emitter.ts";
import {
  ApiFailure,
  countNeverReported,
  filterOf,
  type FleetScope,
  msOf,
  openSocket,
  readClusterTimes,
  readDevices,
  readNewestRecords,
} from "./gateway-api.ts";
import { type LiveState, type LiveStatus, statusAfter } from "./live-status.ts";
import { RecordRate } from "../../model/record-rate.ts";

const firstRetryMs = 500;
const lastRetryMs = 10_000;
/** A connection on which nothing arrives for this long has ended, even if nothing says so. */
const silenceMs = 10_000;
/** The lists are read again: soon after the start, because records may arrive between the lists and the subscription, and then once a
 *  minute, because updates do not say who holds a device. */
const firstRefreshMs = 10_000;
const refreshMs = 60_000;
/** The lists of a host or a GPU are short; and whether it reports is told by its cluster's newest record, which is in them alone. */
const shortRefreshMs = 10_000;
/** With more devices, the lists are read less often: to parse those of 100,000 takes the browser about a second. */
const refreshedPerMinute = 10_000;
/** New devices usually come several at a time. */
const newDevicesMs = 500;

/** The fleet, or a part of it, as the gateway tells it: lists at first, then each record as it arrives. */
export class LiveFleet implements LiveState {
  readonly data = new FleetData();
  /** The positions of the devices that have changed since the last frame. */
  readonly frames = new Emitter<readonly number[]>();
  /** Each record as it arrives. */
  readonly records = new Emitter<DeviceRecord>();
  /** The list of devices, or their holders, may be others now. */
  readonly lists = new Emitter<void>();
  /** Once a second. */
  readonly ticks = new Emitter<void>();
  readonly statuses = new Emitter<void>();
  readonly rate = new RecordRate();
  neverReported: number | undefined;
  /** True once the lists have been read. */
  isLoaded = false;
  status: LiveStatus = { name: "CONNECTING" };
  private connection: LiveConnection | undefined;
  private retryMs = firstRetryMs;
  private attempts = 0;
  private hasFrame = false;
  private nextRefresh: { readonly atMs: number; readonly cancel: () => void } | undefined;
  private early = new Map<string, TelemetryUpdateMessage>();
  private isReading = false;

  constructor(private readonly scope: FleetScope) {}

  start(): void {
    every(1000, () => this.tick());
    void this.connect();
  }

  private async connect(): Promise<void> {
    this.early = new Map();
    const attempt = ++this.attempts;
    try {
      const subscribed = openSocket().then((socket) => {
        // the lists may have failed meanwhile, and the next attempt begun
        if (attempt === this.attempts) return this.subscribe(socket);
        socket.close();
        return undefined;
      });
      await Promise.all([subscribed, this.readLists()]);
      if (this.connection?.stateName === "ENDED") throw new ApiFailure("The connection has ended", undefined);
      this.retryMs = firstRetryMs;
      this.become({ name: "LIVE" });
      this.refreshAfter(firstRefreshMs);
    } catch (error) {
      this.fail(error);
    }
  }

  private subscribe(socket: WebSocket): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const connection = new LiveConnection({
      ...{ socket, silenceMs },
      request: { type: "subscribe", topic: "telemetry", snapshot: false, filters: this.filters() },
      onMessage: (message) => {
        if (message.type === "subscribed") resolve();
        else if (message.type === "error")
          reject(new ApiFailure(message.message, message.code === "forbidden" ? 403 : 400));
        else this.receive(message);
      },
      onEnd: (reason) => {
        const failure = new ApiFailure(reason, undefined);
        reject(failure);
        if (this.status.name === "LIVE") this.fail(failure);
      },
    });
    this.connection?.close();
    this.connection = connection;
    return promise;
  }

  /** The page of a GPU shows all of its metrics. */
  private filters() {
    const filter = filterOf(this.scope);
    return this.scope.kind === "gpu" ? filter : { ...filter, metrics: [...recordFields] };
  }

  private receive(message: ServerMessage): void {
    if (message.type === "skipped") return this.refreshSoon();
    if (message.type !== "telemetry_update") return;
    if (this.isReading) this.early.set(message.gpu_uuid, message);
    this.apply(message);
  }

  private apply({ gpu_uuid: uuid, timestamp, data: values, occupants }: TelemetryUpdateMessage): void {
    const timeMs = msOf(timestamp);
    // the samples of a record may come one after the other
    const isNew = timeMs > (this.data.timesMs[this.data.positionOf(uuid) ?? -1] ?? Infinity);
    if (isNew) this.rate.note(nowMs());
    const record = { uuid, timeMs, values, holders: occupants };
    const isKnown = this.data.apply(record, nowMs());
    this.records.emit(record);
    if (isKnown) this.requestFrame();
    else if (!this.isReading && this.isLoaded) this.refreshSoon();
  }

  private async readLists(): Promise<void> {
    this.isReading = true;
    try {
      const isPart = this.scope.kind !== "fleet";
      const [devices, records, neverReported, clusterTimes] = await Promise.all([
        readDevices(this.scope),
        readNewestRecords(this.scope),
        isPart ? undefined : countNeverReported(),
        isPart ? readClusterTimes() : new Map<string, number>(),
      ]);
      this.data.updateStates(nowMs());
      this.data.replaceDevices(devices);
      this.data.noteClusterTimes(clusterTimes);
      for (const record of records) this.data.apply(record);
      for (const update of this.early.values()) this.apply(update);
      this.data.updateStates(nowMs());
      this.neverReported = neverReported;
      this.isLoaded = true;
    } finally {
      this.isReading = false;
      this.early.clear();
    }
    this.data.takeChanged();
    this.lists.emit();
  }

  private refreshSoon(): void {
    this.refreshAfter(newDevicesMs * this.readingCost);
  }

  /** How much longer than for a small fleet it takes to read the lists. */
  private get readingCost(): number {
    return Math.max(1, this.data.size / refreshedPerMinute);
  }

  /** Reads the lists again after this time, or when they are to be read anyway if that is sooner: what keeps asking must not keep
   *  putting it off. */
  private refreshAfter(waitMs: number): void {
    const atMs = nowMs() + waitMs;
    if (this.nextRefresh !== undefined && this.nextRefresh.atMs <= atMs) return;
    this.cancelRefresh();
    this.nextRefresh = { atMs, cancel: after(waitMs, () => void this.refresh()) };
  }

  private cancelRefresh(): void {
    this.nextRefresh?.cancel();
    this.nextRefresh = undefined;
  }

  private async refresh(): Promise<void> {
    this.nextRefresh = undefined;
    if (this.status.name !== "LIVE") return;
    try {
      // a page that is not seen need not read what it does not show
      if (document.visibilityState === "visible") await this.readLists();
      if (this.scope.kind !== "fleet") return this.refreshAfter(shortRefreshMs);
      this.refreshAfter(refreshMs * this.readingCost);
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.attempts++;
    this.connection?.close();
    this.connection = undefined;
    this.cancelRefresh();
    this.become(statusAfter(error, this.status, nowMs()));
    if (this.status.name === "REFUSED") return;
    // random, so that the pages of a gateway that has stopped do not all come back at the same moment
    const waitMs = this.retryMs * (0.5 + Math.random() / 2);
    this.retryMs = Math.min(lastRetryMs, this.retryMs * 2);
    after(waitMs, () => void this.connect());
  }

  private become(status: LiveStatus): void {
    this.status = status;
    this.statuses.emit();
  }

  private tick(): void {
    this.data.updateStates(nowMs());
    this.requestFrame();
    this.ticks.emit();
  }

  /** However many records arrive, the page is drawn at most once a frame; not at all while it is hidden. */
  private requestFrame(): void {
    if (this.hasFrame) return;
    this.hasFrame = true;
    requestAnimationFrame(() => {
      this.hasFrame = false;
      const changed = this.data.takeChanged();
      if (changed.length > 0) this.frames.emit(changed);
    });
  }
}
