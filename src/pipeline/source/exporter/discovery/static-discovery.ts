import { UnusableSource } from "../../../../domain/errors.ts";
import { aborted } from "../../../../kit/aborted.ts";
import { readTarget, type Target } from "../target.ts";
import type { TargetDiscovery } from "./target-discovery.ts";

/** The targets of a setting. They do not change while the process runs. */
export class StaticDiscovery implements TargetDiscovery {
  readonly description = "DCGM_TARGETS";
  readonly error = undefined;
  private readonly targets: readonly Target[];

  /** @throws UnusableSource if an address is not usable */
  constructor(addresses: readonly string[], clusterId: string) {
    const read = addresses.map((address) => readTarget({ address }, clusterId));
    const errors = read.filter((each) => typeof each === "string");
    if (errors.length > 0) throw new UnusableSource(errors.map((error) => `DCGM_TARGETS: ${error}`).join("\n"));
    this.targets = read.filter((each) => typeof each !== "string");
  }

  async follow(onTargets: (targets: readonly Target[]) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    onTargets(this.targets);
    await aborted(signal);
  }
}
