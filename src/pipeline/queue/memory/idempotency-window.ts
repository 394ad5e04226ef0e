import type { Clock } from "../../../kit/clock.ts";

export interface IdempotencyWindowOptions {
  readonly windowMs: number;
  /** Beyond this number the oldest keys are forgotten early. */
  readonly keysMax: number;
}

/** Remembers which keys were published, for a time and up to a number. */
export class IdempotencyWindow {
  private readonly ids = new Map<string, { readonly id: string; readonly addedAtMs: number }>();

  constructor(
    private readonly clock: Clock,
    private readonly options: IdempotencyWindowOptions,
  ) {}

  /** @returns the id that the key was published as, undefined for a key unknown or forgotten */
  get(key: string): string | undefined {
    const known = this.ids.get(key);
    return known === undefined || this.isOver(known.addedAtMs) ? undefined : known.id;
  }

  add(key: string, id: string): void {
    this.ids.delete(key);
    this.ids.set(key, { id, addedAtMs: this.clock.nowMs() });
    for (const [oldest, { addedAtMs }] of this.ids) {
      if (this.ids.size <= this.options.keysMax && !this.isOver(addedAtMs)) break;
      this.ids.delete(oldest);
    }
  }

  private isOver(addedAtMs: number): boolean {
    return this.clock.nowMs() - addedAtMs >= this.options.windowMs;
  }
}
