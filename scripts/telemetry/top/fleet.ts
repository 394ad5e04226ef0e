import type { TelemetryRecord, TelemetryUpdateMessage } from "gpu-telemetry-client";
import { type Device, deviceAt, noteReported, placeOf, readInto } from "./device.ts";
import { byPlace } from "./ranking.ts";

/** The devices that the table shows, with their newest readings. */
export class Fleet {
  private byUuid = new Map<string, Device>();
  private inOrder: readonly Device[] = [];

  /** The devices by cluster, host and index; MIG instances after their GPU. */
  get devices(): readonly Device[] {
    return this.inOrder;
  }

  /** Replaces the devices by those of the records. A device that stays keeps the readings that were seen of it. */
  replace(records: readonly TelemetryRecord[]): void {
    const devices = new Map<string, Device>();
    for (const record of records) {
      const place = placeOf(record);
      const known = this.byUuid.get(record.uuid);
      const device = known === undefined ? deviceAt(place) : Object.assign(known, place);
      const atMs = Date.parse(record.timestamp);
      noteReported(device, atMs, undefined);
      readInto(device, atMs, record);
      devices.set(record.uuid, device);
    }
    this.byUuid = devices;
    this.inOrder = [...devices.values()].sort(byPlace);
  }

  /** @returns false if the fleet has no such device: its place is not known */
  update({ gpu_uuid, timestamp, data }: TelemetryUpdateMessage): boolean {
    const device = this.byUuid.get(gpu_uuid);
    if (device === undefined) return false;
    const atMs = Date.parse(timestamp);
    noteReported(device, atMs, Date.now());
    readInto(device, atMs, data);
    return true;
  }
}
