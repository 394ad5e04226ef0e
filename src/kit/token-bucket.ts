import type { Clock } from "./clock.ts";

export interface TokenBucketOptions {
  /** Tokens that come in a second; 0: no limit. */
  readonly tokensPerSecond: number;
  /** Most tokens that are saved up while nobody takes any. */
  readonly burstTokens: number;
  readonly clock: Clock;
}

/** Holds a rate: whoever takes more than there is waits until the debt is paid. */
export class TokenBucket {
  private tokens: number;
  private filledAtMs: number;

  constructor(private readonly options: TokenBucketOptions) {
    this.tokens = options.burstTokens;
    this.filledAtMs = options.clock.nowMs();
  }

  /** Takes `count` tokens; more than the burst is allowed and goes into debt. Ends early when the signal aborts. */
  async take(count: number, signal: AbortSignal): Promise<void> {
    const { tokensPerSecond: ratePerSecond, clock } = this.options;
    if (ratePerSecond === 0) return;
    this.fill();
    this.tokens -= count;
    if (this.tokens < 0) await clock.sleep(Math.ceil((-this.tokens / ratePerSecond) * 1000), signal);
  }

  private fill(): void {
    const { tokensPerSecond: ratePerSecond, burstTokens: burst, clock } = this.options;
    const nowMs = clock.nowMs();
    this.tokens = Math.min(burst, this.tokens + ((nowMs - this.filledAtMs) / 1000) * ratePerSecond);
    this.filledAtMs = nowMs;
  }
}
