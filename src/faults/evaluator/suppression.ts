import type { InventoryPlace, StateSpan } from "../../domain/inventory.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceState, HostState, Owner } from "./state.ts";
import type { Transitions } from "./transitions.ts";

/** Maintenance and decommissioning: a host or device that need not report raises nothing, and its faults are told as suppressed. */
export class Suppression {
  private spans = new Map<string, StateSpan[]>();

  constructor(
    private readonly fleet: Fleet,
    private readonly transitions: Transitions,
  ) {
    this.index();
  }

  /** Replaces the spans. */
  set(spans: readonly StateSpan[]): void {
    // JSON has no infinity
    this.fleet.time.spans = spans.map((span) => ({ ...span, toMs: Math.min(span.toMs, Number.MAX_SAFE_INTEGER) }));
    this.index();
  }

  /** True if the device need not report at the instant. */
  covers({ clusterId, hostname, uuid, isSuppressed }: DeviceState, atMs: number): boolean {
    if (isSuppressed) return true;
    if (this.spans.size === 0) return false;
    return (
      this.stateAt({ clusterId, hostname, uuid: "" }, atMs) !== undefined ||
      this.stateAt({ clusterId, hostname, uuid }, atMs) !== undefined
    );
  }

  /** Tells which faults are suppressed now, and which no longer. */
  advance(nowMs: number): void {
    for (const { host, devices } of this.fleet.hosts()) {
      const { clusterId, hostname } = host;
      const ofHost = this.stateAt({ clusterId, hostname, uuid: "" }, nowMs);
      this.change(host, ofHost, nowMs);
      for (const device of devices) {
        const state = ofHost ?? this.stateAt({ clusterId, hostname, uuid: device.uuid }, nowMs);
        this.change(device, state, nowMs);
        if (state !== undefined) device.excusedMs = nowMs;
      }
    }
  }

  private change(
    owner: Owner & Pick<HostState, "isSuppressed">,
    state: StateSpan["state"] | undefined,
    nowMs: number,
  ): void {
    if (owner.isSuppressed === (state !== undefined)) return;
    owner.isSuppressed = state !== undefined;
    if (state === undefined) {
      this.transitions.unsuppress(owner, { atMs: nowMs, why: "The maintenance has ended, and the fault has not." });
    } else {
      const why = state === "maintenance" ? "It is under maintenance." : "It is decommissioned.";
      this.transitions.suppress(owner, { atMs: nowMs, why });
    }
  }

  private stateAt(place: InventoryPlace, atMs: number): StateSpan["state"] | undefined {
    if (this.spans.size === 0) return undefined;
    return this.spans.get(keyOf(place))?.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs)?.state;
  }

  private index(): void {
    this.spans = Map.groupBy(this.fleet.time.spans, keyOf);
  }
}

const keyOf = ({ clusterId, hostname, uuid }: InventoryPlace): string => `${clusterId}\n${hostname}\n${uuid}`;
