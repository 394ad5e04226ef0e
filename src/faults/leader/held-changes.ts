import type { NewChange } from "../fault-store.ts";

/** A fault that is pending for a shorter time is not told: a GPU that waits for data for a moment would be. */
const heldMs = 30_000;

/** Holds what is pending back for a while. What ends meanwhile is never told. */
export class HeldChanges {
  private readonly held = new Map<string, { readonly change: NewChange; readonly sinceMs: number }>();

  /** @returns the changes to tell now, in their order */
  pass(changes: readonly NewChange[], nowMs: number): NewChange[] {
    const told: NewChange[] = [];
    for (const each of changes) {
      const { id, state } = each.change;
      const before = this.held.get(id);
      this.held.delete(id);
      if (state === "pending") this.held.set(id, { change: each, sinceMs: Math.max(nowMs, each.change.atMs) });
      else if (before === undefined) told.push(each);
      else if (state !== "resolved") told.push(before.change, each);
    }
    for (const [id, { change, sinceMs }] of this.held) {
      if (nowMs - sinceMs < heldMs) continue;
      this.held.delete(id);
      told.push(change);
    }
    return told;
  }
}
