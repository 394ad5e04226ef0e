import type { Logger } from "pino";
import type { Clock } from "../../../../kit/clock.ts";
import { RepeatedError } from "../../../../kit/repeated-error.ts";
import type { Target } from "../target.ts";
import type { TargetDiscovery } from "./target-discovery.ts";

export interface PolledDiscoveryOptions {
  readonly description: string;
  /** Reads the targets. @throws an error whose message says what is wrong, and where */
  readonly read: (signal: AbortSignal) => Promise<readonly Target[]>;
  readonly pauseMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Targets that are read again and again. */
export class PolledDiscovery implements TargetDiscovery {
  readonly description: string;
  private readonly failing: RepeatedError;

  constructor(private readonly options: PolledDiscoveryOptions) {
    const { description, log } = options;
    this.description = description;
    this.failing = new RepeatedError({
      log,
      prefix: `${description}: the targets stay as they were`,
      ended: `${description}: the targets are read again`,
    });
  }

  get error(): string | undefined {
    return this.failing.current;
  }

  async follow(onTargets: (targets: readonly Target[]) => void, signal: AbortSignal): Promise<void> {
    const { read, pauseMs, clock } = this.options;
    let passed: string | undefined;
    while (!signal.aborted) {
      const targets = await read(signal).catch((error: unknown) => {
        this.failing.record(error);
        return undefined;
      });
      if (signal.aborted) return;
      if (targets !== undefined) {
        this.failing.clear();
        const text = JSON.stringify(targets);
        if (text !== passed) onTargets(targets);
        passed = text;
      }
      await clock.sleep(pauseMs, signal);
    }
  }
}
