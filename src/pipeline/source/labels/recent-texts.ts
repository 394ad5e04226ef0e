/** Keeps values by text, for texts that are looked up much more often than added. It has two generations: when the younger one is
 *  full, it becomes the older one, and the texts of the previous older one are dropped. A text of the older one that is used again
 *  is also one of the younger. So a look-up need not move the text in a list, as in an LRU cache. */
export class RecentTexts<Value extends object> {
  private young = new Map<string, Value>();
  private youngLength = 0;
  private old = new Map<string, Value>();

  /** @param maxLength the greatest total length of the texts of a generation */
  constructor(private readonly maxLength: number) {}

  get(text: string): Value | undefined {
    const value = this.young.get(text);
    if (value !== undefined) return value;
    const old = this.old.get(text);
    if (old !== undefined) this.set(text, old);
    return old;
  }

  /** Adds or replaces a value; a text that is longer than a generation is not kept. */
  set(text: string, value: Value): void {
    if (text.length > this.maxLength) return;
    if (this.youngLength + text.length > this.maxLength) {
      this.old = this.young;
      this.young = new Map();
      this.youngLength = 0;
    }
    this.young.set(text, value);
    this.youngLength += text.length;
  }
}
