import type { LeaderElection, Term } from "../leader-election.ts";

/** Elects among the campaigns of one process, in the order in which they began. A process without etcd has one, and leads. */
export class MemoryLeaderElection implements LeaderElection {
  private terms = 0;
  private isLed = false;
  private readonly waiting = new Set<() => void>();

  async campaign(signal: AbortSignal, onStandBy?: () => void): Promise<Term | undefined> {
    while (this.isLed && !signal.aborted) {
      onStandBy?.();
      await this.vacancy(signal);
    }
    if (signal.aborted) return undefined;
    this.isLed = true;
    this.terms += 1;
    const ended = new AbortController();
    const resign = (): Promise<void> => {
      if (!ended.signal.aborted) {
        ended.abort();
        this.isLed = false;
        for (const wake of this.waiting) wake();
        this.waiting.clear();
      }
      return Promise.resolve();
    };
    return { revision: String(this.terms), leaderKey: "", leaseId: "", ended: ended.signal, resign };
  }

  private vacancy(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.add(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}
