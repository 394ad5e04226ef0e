interface Kept<Value> {
  readonly value: Value;
  readonly length: number;
}

/** Keeps what was used last: so many entries at most, and so many characters of them. */
export class BoundedCache<Value> {
  private readonly entries = new Map<string, Kept<Value>>();
  private keptLength = 0;

  constructor(private readonly most: { readonly entries: number; readonly characters: number }) {}

  get(key: string): Value | undefined {
    const kept = this.entries.get(key);
    if (kept === undefined) return undefined;
    // the map's order is that of use
    this.entries.delete(key);
    this.entries.set(key, kept);
    return kept.value;
  }

  /** @param valueLength characters that the value takes beside its key */
  set(key: string, value: Value, valueLength = 0): void {
    this.drop(key);
    const length = key.length + valueLength;
    if (length > this.most.characters) return;
    this.entries.set(key, { value, length });
    this.keptLength += length;
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.most.entries && this.keptLength <= this.most.characters) break;
      this.drop(oldest);
    }
  }

  clear(): void {
    this.entries.clear();
    this.keptLength = 0;
  }

  private drop(key: string): void {
    this.keptLength -= this.entries.get(key)?.length ?? 0;
    this.entries.delete(key);
  }
}
