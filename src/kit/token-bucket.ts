import type { Clock } from "./clock.ts";

export interface TokenBucketOptions {
  /** Tokens added per second; 0 for no limit. */
  readonly tokensPerSecond: number;
  /** Maximum of unused tokens. */
  readonly burstTokens: number;
  readonly clock: Clock;
}

/** Limits a rate: a caller that takes more tokens than are available waits until the missing tokens have been added. */
export class TokenBucket {
  private tokens: number;
  private filledAtMs: number;

  constructor(private readonly options: TokenBucketOptions) {
    this.tokens = options.burstTokens;
    this.filledAtMs = options.clock.nowMs();
  }

  /** Takes `count` tokens, which may be more than the burst. Resolves early if the signal aborts. */
  async take(count: number, signal: AbortSignal): Promise<void> {
    const { tokensPerSecond, clock } = this.options;
    if (tokensPerSecond === 0) return;
    this.fill();
    this.tokens -= count;
    if (this.tokens < 0) await clock.sleep(Math.ceil((-this.tokens / tokensPerSecond) * 1000), signal);
  }

  private fill(): void {
    const { tokensPerSecond, burstTokens, clock } = this.options;
    const nowMs = clock.nowMs();
    this.tokens = Math.min(burstTokens, this.tokens + ((nowMs - this.filledAtMs) / 1000) * tokensPerSecond);
    this.filledAtMs = nowMs;
  }
}
