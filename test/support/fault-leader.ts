import type { FaultChange, FaultState } from "../../src/faults/fault.ts";
import type { FaultStore, NewChange } from "../../src/faults/fault-store.ts";
import { systemClock } from "../../src/kit/clock.ts";

/** What a test says of a fault of a device. */
export interface ToldFault extends Partial<Omit<FaultChange, "id" | "subject">> {
  readonly uuid: string;
  readonly clusterId?: string;
  readonly hostname?: string;
}

/** A change of a fault of a device: `gpu.temperature.high` unless `name` says otherwise. */
export function faultChange(
  { uuid, clusterId = "alpha", hostname = "host-a", ...more }: ToldFault,
  state: FaultState,
  atMs: number,
): FaultChange {
  const { name = "gpu.temperature.high", startedAtMs = atMs } = more;
  return {
    ...{ id: `${name}@${clusterId}/${uuid}@${startedAtMs}`, name, rule: name, severity: "warning" },
    summary: "The GPU is hot",
    subject: { kind: "device", clusterId, hostname, uuid, job: "" },
    startedAtMs,
    holders: [],
    action: "Check the fans.",
    runbook: "docs/faults.md#gputemperaturehigh",
    ...{ state, atMs, value: 90, why: `temperature is 90: ${state}.` },
    ...more,
  };
}

/** Writes faults into a store through its contract, as the process that evaluates the rules does. */
export class FaultLeader {
  private batch = 0;
  private isWorking = false;
  private working = Promise.resolve();

  private constructor(
    private readonly store: FaultStore,
    private readonly term: number,
  ) {}

  static async of(store: FaultStore): Promise<FaultLeader> {
    return new FaultLeader(store, await store.ledger.begin("a test"));
  }

  /** Tells changes. @returns the id of the first one's fault */
  async tell(...changes: readonly FaultChange[]): Promise<string> {
    await this.write(changes.map((change) => ({ change, by: "", comment: "" })));
    return changes[0]?.id ?? "";
  }

  /** Begins to carry out what operators ask for: each acknowledgement of a fault that fires is told. */
  work(): void {
    this.isWorking = true;
    this.working = this.carryOut();
  }

  async stop(): Promise<void> {
    this.isWorking = false;
    await this.working;
  }

  private async carryOut(): Promise<void> {
    while (this.isWorking) {
      for (const { id, kind, faultId, by, comment } of await this.store.ledger.requests(10)) {
        const found = kind === "acknowledge" ? await this.store.queries.fault(faultId) : undefined;
        const change = found && {
          ...found.fault,
          state: "acknowledged" as const,
          atMs: found.fault.stateSinceMs + 1000,
        };
        await this.write(change === undefined ? [] : [{ change, by, comment }], [{ id, outcome: "done" }]);
      }
      await systemClock.sleep(20);
    }
  }

  private async write(
    changes: readonly NewChange[],
    requests: readonly { readonly id: number; readonly outcome: "done" }[] = [],
  ): Promise<void> {
    this.batch += 1;
    await this.store.ledger.write({ term: this.term, batch: this.batch, changes, states: [], requests });
  }
}
