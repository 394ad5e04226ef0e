import type { Executor } from "../executor.ts";

/** Carries out nothing: others read the decisions, such as an autoscaler or a person. */
export class NoExecutor implements Executor {
  readonly name = "none";

  check(): Promise<void> {
    return Promise.resolve();
  }

  scale(): Promise<void> {
    return Promise.resolve();
  }

  requested(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}
