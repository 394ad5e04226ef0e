/** A GPU or MIG instance of the list. */
export interface Device {
  readonly uuid: string;
  readonly hostname: string;
  /** The index on the host; for a MIG instance, that of its GPU. */
  readonly index: string;
  readonly model: string;
  readonly clusterId: string;
  /** The GPU's uuid, if the device is a MIG instance. */
  readonly parentUuid: string | undefined;
  readonly migInstanceId: string | undefined;
  readonly migProfile: string | undefined;
  readonly isUnderMaintenance: boolean;
  /** What the gateway says: it knows when records of the future have arrived. */
  readonly isReporting: boolean;
}

/** A workload that holds a device. Empty names are unknown. */
export interface Holder {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** What a device's record says. A metric without a value is absent. */
export interface DeviceRecord {
  readonly uuid: string;
  readonly timeMs: number;
  readonly values: Readonly<Partial<Record<string, unknown>>>;
  /** Undefined: the message does not say who holds the device. */
  readonly holders: readonly Holder[] | undefined;
}

/** Whether a device reports, as the page tells it. */
export const deviceStates = ["reporting", "stale", "maintenance", "unreported"] as const;
export type DeviceState = (typeof deviceStates)[number];

/** The name of who holds a device; empty without a holder. */
export function holderText(holders: readonly Holder[]): string {
  return holders
    .map(({ namespace, pod, container }) => [namespace, pod || container].filter((name) => name !== "").join("/"))
    .join(", ");
}
