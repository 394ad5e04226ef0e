/** The phase of a watch. `failures` counts the pauses since the watch last opened. */
export type WatchPhase =
  | { readonly name: "LISTING"; readonly failures: number }
  | { readonly name: "FOLLOWING"; readonly revision: string; readonly failures: number }
  /** Following resumes after `revision`, the last that was received; undefined if the state must be listed first. */
  | { readonly name: "PAUSING"; readonly revision: string | undefined; readonly failures: number }
  | { readonly name: "CLOSED" };

/** The states of a watch. An event that a state does not handle leaves the state unchanged.
 *
 *  LISTING -listed-> FOLLOWING -advanced-> FOLLOWING from a later revision
 *  LISTING -interrupted, compacted-> PAUSING -pause ended-> LISTING
 *  FOLLOWING -opened-> FOLLOWING with 0 failures
 *  FOLLOWING -interrupted-> PAUSING -pause ended-> FOLLOWING from the same revision
 *  FOLLOWING -compacted-> PAUSING -pause ended-> LISTING
 *  FOLLOWING -resync due, outdated-> LISTING; PAUSING -outdated-> PAUSING, then LISTING; any -closed-> CLOSED */
export class WatchState {
  private phase: WatchPhase = { name: "LISTING", failures: 0 };

  get current(): WatchPhase {
    return this.phase;
  }

  /** @param revision of the listed state */
  listed(revision: string): void {
    const { phase } = this;
    if (phase.name === "LISTING") this.phase = { name: "FOLLOWING", revision, failures: phase.failures };
  }

  /** etcd sends events from now on. */
  opened(): void {
    if (this.phase.name === "FOLLOWING") this.phase = { ...this.phase, failures: 0 };
  }

  /** @param revision of the last received event */
  advanced(revision: string): void {
    if (this.phase.name === "FOLLOWING") this.phase = { ...this.phase, revision };
  }

  interrupted(): void {
    const { phase } = this;
    if (phase.name === "LISTING") this.pause(undefined, phase.failures);
    if (phase.name === "FOLLOWING") this.pause(phase.revision, phase.failures);
  }

  /** etcd no longer has the events after the last revision. */
  compacted(): void {
    const { phase } = this;
    if (phase.name === "LISTING" || phase.name === "FOLLOWING") this.pause(undefined, phase.failures);
  }

  pauseEnded(): void {
    if (this.phase.name !== "PAUSING") return;
    const { revision, failures } = this.phase;
    this.phase = revision === undefined ? { name: "LISTING", failures } : { name: "FOLLOWING", revision, failures };
  }

  resyncDue(): void {
    if (this.phase.name === "FOLLOWING") this.phase = { name: "LISTING", failures: this.phase.failures };
  }

  /** What was listed is no longer etcd's history. */
  outdated(): void {
    const { phase } = this;
    if (phase.name === "FOLLOWING") this.phase = { name: "LISTING", failures: phase.failures };
    if (phase.name === "PAUSING") this.phase = { ...phase, revision: undefined };
  }

  closed(): void {
    this.phase = { name: "CLOSED" };
  }

  private pause(revision: string | undefined, failures: number): void {
    this.phase = { name: "PAUSING", revision, failures: failures + 1 };
  }
}
